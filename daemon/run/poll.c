#include "daemon/run/poll.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

void poll_read(
	struct event **e, struct event_base *base, int fd, event_callback_fn callback, void *arg)
{
	*e = event_new(base, fd, EV_READ | EV_PERSIST, callback, arg);
	if (!*e || event_add(*e, NULL) < 0)
		fatal("cannot poll: %m");
}

void poll_after(struct event **timer, struct event_base *base, uint64_t ms,
	event_callback_fn callback, void *arg)
{
	const struct timeval t = clock_span(ms);

	if (!*timer)
		*timer = evtimer_new(base, callback, arg);
	if (!*timer || event_add(*timer, &t) < 0)
		fatal("cannot make a timer: %m");
}

void poll_at(struct event **timer, struct event_base *base, uint64_t at_ms,
	event_callback_fn callback, void *arg)
{
	uint64_t now_ms = clock_ms();

	poll_after(timer, base, at_ms > now_ms ? at_ms - now_ms : 0, callback, arg);
}

void poll_within(struct event **timer, struct event_base *base, uint64_t ms,
	event_callback_fn callback, void *arg)
{
	if (!*timer || !evtimer_pending(*timer, NULL))
		poll_after(timer, base, ms, callback, arg);
}

void poll_forget(struct event **e)
{
	if (*e)
		event_free(*e);
	*e = NULL;
}
