/*
 * observe: asks superd through its read-only socket, and never waits for it.
 *
 * One connection, however many clients look: questions go out in order and answers come back in
 * order.  The same question asked again within a moment gets the same answer, so that a crowd of
 * browsers costs superd no more than one.  A superd that does not answer in time, or is not there,
 * is told to everybody who has asked; the next question tries again.
 *
 * It knows the form of the protocol (superctl(8)) and nothing of what is in an answer.
 */
#ifndef HANDLERS_STATUS_OBSERVE_H
#define HANDLERS_STATUS_OBSERVE_H

#include <event2/event.h>
#include <stddef.h>

enum {
	OBSERVE_DEADLINE_MS = 3000,
	OBSERVE_FRESH_MS = 250, /* for so long an answer is as good as new */
};

struct observe;

/* The answer as JSON text, borrowed; or NULL, and why. */
typedef void observe_fn(void *arg, const char *answer, size_t len, const char *why);

struct observe *observe_new(struct event_base *base, const char *path);
void observe_free(struct observe *o); /* who has asked is not answered; NULL is fine */

/* Asks, in one line of JSON.  `done` is called once, now or later.  The answer to "log" is several
 * lines; it becomes one object with an array "events". */
void observe_ask(struct observe *o, const char *line, observe_fn *done, void *arg);

#endif
