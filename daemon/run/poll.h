/* libevent's events as superd has them: a descriptor that is read, a timer that is made when it is
 * first needed, and the end of both.
 *
 * Refuses to go on without an event: superd would be deaf to something. */
#ifndef RUN_POLL_H
#define RUN_POLL_H

#include <event2/event.h>
#include <stdint.h>

/* *e becomes a new event, owned by the caller: calls back whenever there is something to read. */
void poll_read(
	struct event **e, struct event_base *base, int fd, event_callback_fn callback, void *arg);

/* Calls back in so many milliseconds from now, once; what was to come before does not.  *timer is
 * made where it is NULL. */
void poll_after(struct event **timer, struct event_base *base, uint64_t ms,
	event_callback_fn callback, void *arg);

/* The same at that time; at once, if it is past. */
void poll_at(struct event **timer, struct event_base *base, uint64_t at_ms,
	event_callback_fn callback, void *arg);

/* The same as poll_after, but what was to come before comes when it was to. */
void poll_within(struct event **timer, struct event_base *base, uint64_t ms,
	event_callback_fn callback, void *arg);

/* Frees *e, where it is not NULL, and makes it NULL. */
void poll_forget(struct event **e);

#endif
