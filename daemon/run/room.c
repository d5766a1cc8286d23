#include "daemon/run/room.h"

#include "daemon/base/clock.h"
#include "daemon/run/admit.h"
#include "daemon/run/listener.h"
#include "daemon/run/poll.h"
#include "daemon/run/queue.h"
#include "daemon/run/reserve.h"

#include <string.h>

#define SHORTAGE_MS 200

static void wait_in(struct listener *l, struct waitlist *list)
{
	if (l->waits_in)
		return;
	event_del(&l->event);
	TAILQ_INSERT_TAIL(list, l, waiting);
	l->waits_in = list;
}

void room_wake(struct listener *l)
{
	TAILQ_REMOVE(l->waits_in, l, waiting);
	l->waits_in = NULL;
	event_add(&l->event, NULL);
}

static void wake_one(struct waitlist *list)
{
	if (!TAILQ_EMPTY(list))
		room_wake(TAILQ_FIRST(list));
}

static void wake_all(struct waitlist *list)
{
	while (!TAILQ_EMPTY(list))
		room_wake(TAILQ_FIRST(list));
}

void room_stop(struct listener *l)
{
	if (l->waits_in)
		room_wake(l);
	wait_in(l, &l->unit->stopped);
}

void room_pause(struct unit *u)
{
	struct listener *l;

	TAILQ_FOREACH (l, &u->listeners, all)
		if (l->fd >= 0)
			room_stop(l);
}

void room_resume(struct unit *u)
{
	wake_all(&u->stopped);
}

static void tell_resume(struct unit *u)
{
	struct log_line l;

	/* The two are a pair: told only if its suspension was. */
	if (!u->told_full)
		return;
	u->told_full = false;
	log_begin(&l, LOG_NOTICE, "resume");
	log_str(&l, "service", u->service->name);
	log_end(&l);
}

/* One place came free, so one listener gets it; each has a client waiting.  If that client
 * should not use the place, the next accept on any listener wakes the next. */
void room_freed(struct unit *u)
{
	struct daemon *d = u->daemon;

	if (d->phase != PHASE_SERVE)
		return;
	reserve_fill(d);
	if (!TAILQ_EMPTY(&u->full)) {
		if (u->live == 0)
			wake_all(&u->full);
		else
			wake_one(&u->full);
	}
	if (TAILQ_EMPTY(&u->full) && !u->waiting)
		tell_resume(u);
	if (d->live == 0)
		wake_all(&d->full);
	else if (admit_place_of_all(d))
		wake_one(&d->full);
	wake_one(&d->shortage);
}

void room_recheck(struct daemon *d)
{
	struct unit *u;

	TAILQ_FOREACH (u, &d->units, all)
		wake_all(&u->full);
	queue_serve_all(d);
	wake_all(&d->full);
}

static void shortage_over(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	reserve_fill(d);
	queue_serve_all(d);
	wake_all(&d->shortage);
}

void room_retry(struct daemon *d)
{
	/* Those who fall short again and again shall not put it off for the others. */
	poll_within(&d->shortage_timer, d->base, SHORTAGE_MS, shortage_over, d);
}

/* True if it was told: at most one a second is. */
static bool tell_suspend(struct pace *pace, const char *service, const char *reason)
{
	struct log_line l;
	uint32_t silent;

	if (!pace_take(pace, clock_ms(), &silent))
		return false;
	log_begin(&l, LOG_NOTICE, "suspend");
	log_str(&l, "service", service);
	log_str(&l, "reason", reason);
	if (silent)
		log_num(&l, "repeated", silent);
	log_end(&l);
	return true;
}

void room_tell_full(struct unit *u)
{
	uint32_t most = u->service->max_connections;
	const char *reason =
		most && u->live >= most ? "max_connections" : "max_connections of all services";

	if (tell_suspend(&u->pace, u->service->name, reason))
		u->told_full = true;
}

/* No descriptors, memory or processes: a level-triggered poll would spin (H3). */
void room_suspend(struct listener *l, int error)
{
	struct daemon *d = l->unit->daemon;

	tell_suspend(&d->shortage_pace, l->unit->service->name, strerrorname_np(error));
	wait_in(l, &d->shortage);
	room_retry(d);
}

void room_wait(struct listener *l)
{
	struct unit *u = l->unit;
	uint32_t most = u->service->max_connections;

	if (admit_place(u)) {
		wait_in(l, &u->daemon->shortage);
		room_retry(u->daemon);
		return;
	}
	room_tell_full(u);
	/* Behind a queue that is full, it is the queue that it waits for. */
	wait_in(l, u->waiting || (most && u->live >= most) ? &u->full : &u->daemon->full);
}

bool room_let_in(struct daemon *d)
{
	struct listener *l = TAILQ_FIRST(&d->full);

	if (!l)
		return false;
	room_wake(l);
	listener_serve(l);
	return true;
}

void room_pass_on(struct unit *u)
{
	if (!TAILQ_EMPTY(&u->full) && admit_room(u) == ROOM)
		wake_one(&u->full);
	if (admit_place_of_all(u->daemon))
		wake_one(&u->daemon->full);
}
