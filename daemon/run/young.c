#include "daemon/run/young.h"

#include "daemon/base/clock.h"
#include "daemon/run/capture.h"
#include "daemon/run/poll.h"

#define YOUNG_MS 10

static void remove_it(struct conn *c)
{
	TAILQ_REMOVE(&c->unit->daemon->young, c, in_young);
	c->young = false;
}

static void on_timer(evutil_socket_t fd, short what, void *arg);

static void set_timer(struct daemon *d)
{
	poll_within(&d->young_timer, d->base, YOUNG_MS, on_timer, d);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	uint64_t now_us = clock_us();
	struct conn *c;

	(void)fd;
	(void)what;
	while ((c = TAILQ_FIRST(&d->young)) && now_us - c->start_us >= YOUNG_MS * 1000) {
		remove_it(c);
		if (c->capture)
			capture_watch(c->capture);
	}
	if (c)
		set_timer(d);
}

void young_begin(struct conn *c)
{
	struct daemon *d = c->unit->daemon;

	c->young = true;
	TAILQ_INSERT_TAIL(&d->young, c, in_young);
	set_timer(d);
}

void young_end(struct conn *c)
{
	if (c->young)
		remove_it(c);
}

void young_free(struct daemon *d)
{
	poll_forget(&d->young_timer);
}
