#include "daemon/run/wait.h"

#include "daemon/base/clock.h"
#include "daemon/base/fd.h"
#include "daemon/os/datagram.h"
#include "daemon/os/sockopt.h"
#include "daemon/os/tasks.h"
#include "daemon/run/activity.h"
#include "daemon/run/admit.h"
#include "daemon/run/conns.h"
#include "daemon/run/deadline.h"
#include "daemon/run/launch.h"
#include "daemon/run/listener.h"
#include "daemon/run/reserve.h"
#include "daemon/run/room.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAUSE_FIRST_MS 250
#define PAUSE_LAST_MS 30000
#define LOOKS 4 /* in an idle_exit */

/* Who has which sockets. */
struct waiter {
	struct unit *unit;
	struct listener *only; /* of datagrams; NULL: all of the unit's */
	bool orphan;           /* the owner is gone; freed when the last process is */
	uint32_t live;
	uint64_t mark; /* of the datagram for which the last one was started */
	unsigned pause_ms;
	struct event *pause; /* owned */
	struct event *look;  /* owned; of idle_exit */
	uint64_t moved_ms;   /* when something was seen to move, at the last look */
	uint64_t runs;       /* see tasks.h */
};

/* The sockets of one process, and its variables. */
struct handed {
	int fds[PLAN_LISTENERS_MAX];
	const struct listener *listeners[PLAN_LISTENERS_MAX]; /* to compare, they may be gone */
	int count;
	char fds_text[24], pid_text[sizeof "LISTEN_PID=" + PLAN_PID_MAX];
	char names[]; /* LISTEN_FDNAMES=… */
};

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

static void free_timers(struct waiter *w)
{
	if (w->pause)
		event_free(w->pause);
	if (w->look)
		event_free(w->look);
	w->pause = w->look = NULL;
}

void waiter_free(struct waiter *w)
{
	if (!w)
		return;
	free_timers(w);
	w->orphan = true;
	if (!w->live)
		free(w);
}

/* Goes through the sockets of one: `for (l = first(w); l; l = next(w, l))`. */
static struct listener *first(const struct waiter *w)
{
	return w->only ? w->only : TAILQ_FIRST(&w->unit->listeners);
}

static struct listener *next(const struct waiter *w, struct listener *l)
{
	return w->only ? NULL : TAILQ_NEXT(l, all);
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
	for (struct listener *l = first(w); l; l = next(w, l)) {
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
	for (struct listener *l = first(w); l; l = next(w, l)) {
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

static void fill(struct waiter *w);

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct waiter *w = arg;

	(void)fd;
	(void)what;
	tell(w, "resume", NULL);
	if (w->live)
		fill(w);
	refresh(w);
}

static void pause_it(struct waiter *w, const char *reason)
{
	struct timeval t;

	w->pause_ms = w->pause_ms ? w->pause_ms * 2 : PAUSE_FIRST_MS;
	if (w->pause_ms > PAUSE_LAST_MS)
		w->pause_ms = PAUSE_LAST_MS;
	if (!w->pause)
		w->pause = evtimer_new(w->unit->daemon->base, on_pause_over, w);
	t = clock_span(w->pause_ms);
	event_add(w->pause, &t);
	tell(w, "suspend", reason);
}

/* ---- starting ---- */

static struct handed *hand_over(const struct waiter *w)
{
	static const char variable[] = "LISTEN_FDNAMES=";
	const char *name = w->unit->service->name;
	size_t room = sizeof variable + PLAN_LISTENERS_MAX * (strlen(name) + 1);
	struct handed *h = mem_new(sizeof *h + room);
	char *end = stpcpy(h->names, variable);

	for (struct listener *l = first(w); l && h->count < PLAN_LISTENERS_MAX; l = next(w, l)) {
		if (l->fd < 0)
			continue;
		if (h->count)
			*end++ = ':';
		end = stpcpy(end, name);
		/* As socket(2) makes it, whatever the one before made of it. */
		if (!w->live)
			sockopt_block(l->fd, true);
		h->listeners[h->count] = l;
		h->fds[h->count++] = l->fd;
	}
	snprintf(h->fds_text, sizeof h->fds_text, "LISTEN_FDS=%d", h->count);
	strcpy(h->pid_text, "LISTEN_PID=");
	return h;
}

/* In the child they go to the numbers from PLAN_LISTEN_FD on, which must not be among them. */
static bool can_be_handed(const struct handed *h)
{
	for (int i = 0; i < h->count; i++)
		if (h->fds[i] <= PLAN_LISTEN_FD + h->count)
			return false;
	return true;
}

/* The first socket once more, for 0 and 1. */
static int copy_first(const struct handed *h)
{
	if (!h->count || !can_be_handed(h)) {
		errno = EMFILE;
		return -1;
	}
	return fcntl(h->fds[0], F_DUPFD_CLOEXEC, 0);
}

static bool start_one(struct waiter *w, struct listener *l)
{
	struct ends e = { 0 };
	struct unit *u = w->unit;
	struct handed *h;
	struct conn *c;
	int fd, error;

	if (!admit_place(u)) {
		room_wait(l);
		return false;
	}
	if (launch_prepare(u, false) < 0) {
		room_suspend(l, errno);
		return false;
	}
	h = hand_over(w);
	fd = copy_first(h);
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
	c->plan.listeners = h->fds;
	c->plan.listeners_count = h->count;
	c->plan.listen_pid = h->pid_text + strlen("LISTEN_PID=");
	w->live++;
	error = launch(c);
	reserve_fill(u->daemon);
	return !error;
}

/* As many as there shall be; unless superd stops, or a reload took the sockets away. */
static void fill(struct waiter *w)
{
	struct listener *l = first(w);

	if (!l || !w->unit->service->wait || w->unit->state != UNIT_OPEN ||
		w->unit->daemon->phase != PHASE_SERVE)
		return;
	while (wants_more(w))
		if (!start_one(w, l))
			break;
}

void wait_environ(struct conn *c, size_t count)
{
	c->envp[count++] = c->handed->fds_text;
	c->envp[count++] = c->handed->pid_text;
	c->envp[count++] = c->handed->names;
	c->envp[count] = NULL;
}

/* ---- idle_exit ---- */

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
	struct timeval t = clock_span(w->unit->service->idle_exit_ms / LOOKS + 1);

	if (!w->look)
		w->look = evtimer_new(w->unit->daemon->base, on_look, w);
	event_add(w->look, &t);
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
	for (struct listener *l = first(w); l; l = next(w, l))
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
	for (struct listener *l = first(w); l; l = next(w, l))
		if (l->moved_ms > w->moved_ms)
			w->moved_ms = l->moved_ms;
	if (clock_ms() - w->moved_ms < w->unit->service->idle_exit_ms)
		next_look(w);
	else
		end_all(w, "idle_exit");
}

static void watch(struct waiter *w)
{
	if (!w->unit->service->idle_exit_ms)
		return;
	w->moved_ms = clock_ms();
	for (struct listener *l = first(w); l; l = next(w, l))
		if (!l->watched)
			l->watched = activity_add(w->unit->daemon, l->fd, &l->moved_ms);
	next_look(w);
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
	fill(w);
	if (w->live)
		watch(w);
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
		fill(w);
	refresh(w);
}

/* ---- the daemon ---- */

/* Of a process that an earlier program started: which of its unit's sockets it has. */
void wait_restore(struct conn *c, const bool *has)
{
	struct handed *h = mem_new(sizeof *h + 1);
	struct listener *l, *any = NULL;
	size_t i = 0;

	TAILQ_FOREACH (l, &c->unit->listeners, all) {
		if (!has[i++] || h->count == PLAN_LISTENERS_MAX)
			continue;
		any = l;
		h->listeners[h->count++] = l;
	}
	c->handed = h;
	if (!any)
		return;
	c->waiter = waiter_of(any);
	c->waiter->live++;
	watch(c->waiter);
}

bool wait_has(const struct conn *c, const struct listener *l)
{
	for (int i = 0; c->handed && i < c->handed->count; i++)
		if (c->handed->listeners[i] == l)
			return true;
	return false;
}

static bool still_has(const struct unit *u, const struct handed *h)
{
	for (int i = 0; i < h->count; i++) {
		const struct listener *l;

		TAILQ_FOREACH (l, &u->listeners, all)
			if (l == h->listeners[i])
				break;
		if (!l)
			return false;
	}
	return true;
}

/* A socket that was opened since may stand where the one stood that it has. */
static bool may_stay(const struct conn *c)
{
	return c->waiter && !c->waiter->orphan && c->unit->service->wait &&
	       still_has(c->unit, c->handed);
}

void wait_recheck(struct daemon *d)
{
	struct conn *c, *next_conn;

	HASH_ITER (hh, d->conns, c, next_conn) {
		if (!c->handed)
			continue;
		if (!may_stay(c))
			deadline_end(c);
		else if (!(c->waiter->look && evtimer_pending(c->waiter->look, NULL)))
			watch(c->waiter);
	}
}

void wait_stop(struct daemon *d)
{
	struct conn *c, *next_conn;

	HASH_ITER (hh, d->conns, c, next_conn)
		if (c->handed)
			deadline_end(c);
}
