#include "daemon/run/wait_idle.h"

#include "daemon/base/clock.h"
#include "daemon/os/tasks.h"
#include "daemon/run/activity.h"
#include "daemon/run/deadline.h"
#include "daemon/run/poll.h"

#define LOOKS 4 /* in an idle_exit */

static void end_all(struct waiter *w, const char *key)
{
	struct conn *c, *next_conn;

	HASH_ITER (hh, w->unit->daemon->conns, c, next_conn)
		if (c->waiter == w && !c->kill)
			deadline_expire(c, key);
}

static void on_look(evutil_socket_t fd, short what, void *arg);

static void next_look(struct waiter *w)
{
	uint64_t ms = w->unit->service->idle_exit_ms / LOOKS + 1;

	poll_after(&w->look, w->unit->daemon->base, ms, on_look, w);
}

/* Streams: the kernel keeps no account of the clients that came and were accepted since, but
 * whoever accepted them ran. */
static uint64_t runs(const struct waiter *w)
{
	uint64_t sum = 0;

	for (const struct conn *c = w->unit->daemon->conns; c; c = c->hh.next)
		if (c->waiter == w)
			sum += tasks_runs(c->pid);
	return sum;
}

/* A connection that is still open is a client, even if it is silent. */
static bool has_clients(const struct waiter *w)
{
	for (struct listener *l = waiter_first(w); l; l = waiter_next(w, l))
		if (l->addr.kind == ADDR_TCP &&
			tcpinfo_connected(w->unit->daemon->netlink, addr_port(&l->addr)))
			return true;
	return false;
}

static bool is_busy(struct waiter *w)
{
	uint64_t before = w->runs;

	if (w->only)
		return false; /* what moves there is seen */
	w->runs = runs(w);
	return w->runs != before || has_clients(w);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct waiter *w = arg;

	(void)fd;
	(void)what;
	if (!w->live || !w->unit->service->idle_exit_ms)
		return;
	activity_look(w->unit->daemon);
	if (is_busy(w))
		w->moved_ms = clock_ms();
	for (struct listener *l = waiter_first(w); l; l = waiter_next(w, l))
		if (l->moved_ms > w->moved_ms)
			w->moved_ms = l->moved_ms;
	if (clock_ms() - w->moved_ms < w->unit->service->idle_exit_ms)
		next_look(w);
	else
		end_all(w, "idle_exit");
}

void wait_idle_watch(struct waiter *w)
{
	if (!w->unit->service->idle_exit_ms)
		return;
	w->moved_ms = clock_ms();
	for (struct listener *l = waiter_first(w); l; l = waiter_next(w, l))
		if (!l->watched)
			l->watched = activity_add(w->unit->daemon, l->fd, &l->moved_ms);
	next_look(w);
}

bool wait_idle_watches(const struct waiter *w)
{
	return w->look && evtimer_pending(w->look, NULL);
}
