#include "daemon/run/idle.h"

#include "daemon/base/clock.h"
#include "daemon/run/activity.h"
#include "daemon/run/deadline.h"
#include "daemon/run/poll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The bytes are looked at so many times in an idle_timeout, which is how exact it is. */
#define LOOKS 4

struct watch {
	struct event *timer; /* owned */
	struct idle_view seen;
};

int idle_open(struct daemon *d)
{
	if (d->netlink < 0)
		d->netlink = tcpinfo_open();
	return d->netlink < 0 ? -1 : activity_open(d);
}

static void on_look(evutil_socket_t fd, short what, void *arg);

static void next_look(struct conn *c)
{
	poll_after(&c->watch->timer, c->unit->daemon->base, c->service->idle_timeout_ms / LOOKS + 1,
		on_look, c);
}

/* Of a peer of UDP no bytes are counted, but it is seen that some came or went. */
static void look_at_peer(struct conn *c)
{
	activity_look(c->unit->daemon);
}

static void look_at_bytes(struct conn *c)
{
	struct watch *w = c->watch;
	struct tcpinfo info;

	/* A connection that the kernel does not know any more moves no bytes. */
	if (!tcpinfo_find(c->unit->daemon->netlink, &w->seen.local, &w->seen.remote, &info) ||
		info.bytes_in + info.bytes_out == w->seen.bytes)
		return;
	w->seen.bytes = info.bytes_in + info.bytes_out;
	w->seen.moved_ms = clock_ms();
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct watch *w = c->watch;

	(void)fd;
	(void)what;
	if (c->peer)
		look_at_peer(c);
	else
		look_at_bytes(c);
	if (clock_ms() - w->seen.moved_ms >= c->service->idle_timeout_ms)
		deadline_expire(c, "idle_timeout");
	else
		next_look(c);
}

void idle_restore(struct conn *c, const struct idle_view *v)
{
	struct watch *w = mem_new(sizeof *w);

	w->seen = *v;
	c->watch = w;
	if (c->peer)
		activity_add(c->unit->daemon, c->kept, &w->seen.moved_ms);
	next_look(c);
}

void idle_begin(struct conn *c)
{
	idle_restore(c, &(struct idle_view){ c->ends.local, c->ends.remote, 0, clock_ms() });
}

bool idle_see(const struct conn *c, struct idle_view *out)
{
	if (c->watch)
		*out = c->watch->seen;
	return c->watch;
}

void idle_end(struct conn *c)
{
	if (!c->watch)
		return;
	if (c->peer)
		activity_remove(c->unit->daemon, c->kept);
	poll_forget(&c->watch->timer);
	free(c->watch);
	c->watch = NULL;
}
