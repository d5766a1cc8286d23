#include "daemon/run/wait.h"

#include "daemon/os/datagram.h"
#include "daemon/run/admit.h"
#include "daemon/run/conns.h"
#include "daemon/run/deadline.h"
#include "daemon/run/handout.h"
#include "daemon/run/launch.h"
#include "daemon/run/listener.h"
#include "daemon/run/poll.h"
#include "daemon/run/reserve.h"
#include "daemon/run/room.h"
#include "daemon/run/wait_idle.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define PAUSE_FIRST_MS 250
#define PAUSE_LAST_MS 30000

static struct waiter *waiter_new(struct unit *u, struct listener *only)
{
	struct waiter *w = mem_new(sizeof *w);

	w->unit = u;
	w->only = only;
	return w;
}

static struct waiter *waiter_of(struct listener *l)
{
	struct waiter **w = l->unit->service->datagrams ? &l->waiter : &l->unit->waiter;

	if (!*w)
		*w = waiter_new(l->unit, l->unit->service->datagrams ? l : NULL);
	return *w;
}

void waiter_free(struct waiter *w)
{
	if (!w)
		return;
	poll_forget(&w->pause);
	poll_forget(&w->look);
	w->orphan = true;
	if (!w->live)
		free(w);
}

/* ---- polling ---- */

static bool wants_more(const struct waiter *w)
{
	return w->live < w->unit->service->instances &&
	       !(w->pause && evtimer_pending(w->pause, NULL));
}

static void refresh(struct waiter *w)
{
	bool more = wants_more(w);

	if (!w->unit->service->wait)
		return; /* since a reload */
	for (struct listener *l = waiter_first(w); l; l = waiter_next(w, l)) {
		if (l->fd < 0 || l->waits_in || !l->event.ev_base)
			continue;
		if (more)
			event_add(&l->event, NULL);
		else
			event_del(&l->event);
	}
}

void wait_refresh(struct listener *l)
{
	refresh(waiter_of(l));
}

void wait_moved(struct listener *l)
{
	const struct service *s = l->unit->service;

	if (!l->waiter)
		return;
	if (s->wait && s->datagrams) {
		l->waiter->unit = l->unit;
		return;
	}
	waiter_free(l->waiter);
	l->waiter = NULL;
}

static bool somebody_waits(const struct waiter *w)
{
	for (struct listener *l = waiter_first(w); l; l = waiter_next(w, l)) {
		struct pollfd p = { .fd = l->fd, .events = POLLIN };

		if (l->fd >= 0 && poll(&p, 1, 0) == 1)
			return true;
	}
	return false;
}

/* ---- pauses ---- */

static void tell(const struct waiter *w, const char *verb, const char *reason)
{
	struct log_line l;

	log_begin(&l, LOG_NOTICE, verb);
	log_str(&l, "service", w->unit->service->name);
	if (reason) {
		log_str(&l, "reason", reason);
		log_num(&l, "retry_ms", w->pause_ms);
	}
	log_end(&l);
}

static void fill(struct waiter *w, struct listener *l);

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct waiter *w = arg;

	(void)fd;
	(void)what;
	tell(w, "resume", NULL);
	if (w->live)
		fill(w, waiter_first(w));
	refresh(w);
}

static void pause_it(struct waiter *w, const char *reason)
{
	w->pause_ms = w->pause_ms ? w->pause_ms * 2 : PAUSE_FIRST_MS;
	if (w->pause_ms > PAUSE_LAST_MS)
		w->pause_ms = PAUSE_LAST_MS;
	poll_after(&w->pause, w->unit->daemon->base, w->pause_ms, on_pause_over, w);
	tell(w, "suspend", reason);
}

/* ---- starting ---- */

/* What may run short.  The first socket once more, for 0 and 1; or -1 with errno. */
static int prepare(struct unit *u, const struct handout *h, bool from_reserve)
{
	return launch_prepare(u, from_reserve) < 0 ? -1 : handout_copy_first(h);
}

static bool start_one(struct waiter *w, struct listener *l)
{
	struct ends e = { 0 };
	struct unit *u = w->unit;
	struct handout *h;
	struct conn *c;
	int fd, error;

	if (!admit_place(u)) {
		room_wait(l);
		return false;
	}
	h = handout_new(w);
	fd = prepare(u, h, false);
	if (fd < 0 && reserve_release_for(u))
		fd = prepare(u, h, true);
	if (fd < 0) {
		free(h);
		room_suspend(l, errno);
		return false;
	}
	e.local = h->listeners[0]->addr;
	u->arrived++;
	c = conn_new(u, fd, &e);
	c->waiter = w;
	c->handed = h;
	handout_plan(h, &c->plan);
	w->live++;
	error = launch(c);
	reserve_fill(u->daemon);
	return !error;
}

/* As many as there shall be; unless superd stops, or a reload took the sockets away.  Where there
 * is no room it is `l` that waits for it: the one that is readable, or it would be polled on. */
static void fill(struct waiter *w, struct listener *l)
{
	if (!l || !w->unit->service->wait || w->unit->state != UNIT_OPEN ||
		w->unit->daemon->phase != PHASE_SERVE)
		return;
	while (wants_more(w))
		if (!start_one(w, l))
			break;
}

/* ---- what happens ---- */

void wait_readable(struct listener *l)
{
	struct waiter *w = waiter_of(l);

	if (!wants_more(w)) {
		refresh(w); /* it had been waiting for something else */
		return;
	}
	if (w->only) {
		w->mark = datagram_mark(l->fd);
		if (!w->mark)
			return; /* another process was faster, or its checksum was wrong */
	}
	fill(w, l);
	if (w->live)
		wait_idle_watch(w);
	refresh(w);
}

/* True if the datagram for which the process was started is still there. */
static bool left_unread(const struct waiter *w)
{
	return w->only->fd >= 0 && w->mark && datagram_mark(w->only->fd) == w->mark;
}

static const char *why_pause(const struct waiter *w, enum wait_end how)
{
	if (w->only && left_unread(w)) {
		datagram_discard(w->only->fd);
		return "unread";
	}
	if (how != WAIT_AT_ONCE)
		return NULL;
	/* Nobody looks at what comes while others live: it would be replaced at once. */
	return w->live || (!w->only && somebody_waits(w)) ? "ended at once" : NULL;
}

void wait_ended(struct waiter *w, enum wait_end how)
{
	const char *why;

	w->live--;
	if (w->orphan) {
		if (!w->live)
			free(w);
		return;
	}
	why = why_pause(w, how);
	if (why)
		pause_it(w, why);
	else
		w->pause_ms = 0;
	if (w->live && how == WAIT_DONE)
		fill(w, waiter_first(w));
	refresh(w);
}

/* ---- the daemon ---- */

void wait_environ(struct conn *c, size_t count)
{
	handout_environ(c->handed, c->envp + count);
}

bool wait_has(const struct conn *c, const struct listener *l)
{
	return c->handed && handout_has(c->handed, l);
}

void wait_restore(struct conn *c, const bool *has)
{
	struct listener *l, *any = NULL;

	c->handed = handout_restored(c->unit, has);
	TAILQ_FOREACH (l, &c->unit->listeners, all)
		if (handout_has(c->handed, l))
			any = l;
	if (!any)
		return;
	c->waiter = waiter_of(any);
	c->waiter->live++;
	wait_idle_watch(c->waiter);
}

/* A socket that was opened since may stand where the one stood that it has. */
static bool may_stay(const struct conn *c)
{
	return c->waiter && !c->waiter->orphan && c->unit->service->wait &&
	       handout_is_of(c->handed, c->unit);
}

void wait_recheck(struct daemon *d)
{
	struct conn *c, *next_conn;

	HASH_ITER (hh, d->conns, c, next_conn) {
		if (!c->handed)
			continue;
		if (!may_stay(c))
			deadline_end(c);
		else if (!wait_idle_watches(c->waiter))
			wait_idle_watch(c->waiter);
	}
}

void wait_stop(struct daemon *d)
{
	struct conn *c, *next_conn;

	HASH_ITER (hh, d->conns, c, next_conn)
		if (c->handed)
			deadline_end(c);
}
