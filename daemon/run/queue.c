/* Two rings of lanes.  A source that has just begun to wait stands in `fresh` and is served
 * before the others once; then its lane goes round in `rounds`.  (So does fq_codel with flows.)
 * A polite source, which never has more than one waiting, thus goes first; but only every second
 * turn, so that sources which are always fresh do not starve the others. */
#include "daemon/run/queue.h"

#include "daemon/base/fd.h"
#include "daemon/run/admit.h"
#include "daemon/run/conns.h"
#include "daemon/run/launch.h"
#include "daemon/run/listener.h"
#include "daemon/run/poll.h"
#include "daemon/run/room.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#define BATCH 16 /* starts in a go: many places may have come free at once (H24) */

struct lane {
	TAILQ_ENTRY(lane) ring;
	struct lanes *in;
	TAILQ_HEAD(waiters, conn) waiting;
};

/* In no ring yet, if it is a new one. */
static struct lane *lane_of(struct source *source)
{
	struct lane *lane = source->lane;

	if (!lane) {
		lane = source->lane = mem_new(sizeof *lane);
		TAILQ_INIT(&lane->waiting);
	}
	return lane;
}

static void count_waiting(struct conn *c)
{
	struct unit *u = c->unit;
	struct daemon *d = u->daemon;

	c->plan.connection = fd_high(c->plan.connection);
	if (u->waiting++ == 0) {
		TAILQ_INSERT_TAIL(&d->queueing, u, queueing);
		d->queueing_count++;
	}
	d->waiting++;
	c->source->waiting++;
	sources_touch(d->sources, c->source);
}

static void uncount_waiting(const struct conn *c)
{
	struct unit *u = c->unit;
	struct daemon *d = u->daemon;

	if (--u->waiting == 0) {
		TAILQ_REMOVE(&d->queueing, u, queueing);
		d->queueing_count--;
	}
	d->waiting--;
	c->source->waiting--;
}

void queue_add(struct conn *c)
{
	struct lane *lane = lane_of(c->source);

	if (!lane->in) {
		lane->in = &c->unit->fresh;
		TAILQ_INSERT_TAIL(lane->in, lane, ring);
	}
	TAILQ_INSERT_TAIL(&lane->waiting, c, waits);
	count_waiting(c);
}

void queue_put_back(struct conn *c)
{
	struct unit *u = c->unit;
	struct lane *lane = lane_of(c->source);

	if (lane->in)
		TAILQ_REMOVE(lane->in, lane, ring);
	lane->in = &u->fresh;
	TAILQ_INSERT_HEAD(lane->in, lane, ring);
	u->fresh_had_turn = false;
	TAILQ_INSERT_HEAD(&lane->waiting, c, waits);
	count_waiting(c);
}

static struct lane *next_lane(struct unit *u)
{
	bool fresh = !TAILQ_EMPTY(&u->fresh) && (!u->fresh_had_turn || TAILQ_EMPTY(&u->rounds));

	u->fresh_had_turn = fresh;
	return fresh ? TAILQ_FIRST(&u->fresh) : TAILQ_FIRST(&u->rounds);
}

/* The lane has had its turn. */
static void move_on(struct unit *u, struct source *source)
{
	struct lane *lane = source->lane;

	TAILQ_REMOVE(lane->in, lane, ring);
	if (TAILQ_EMPTY(&lane->waiting)) {
		source->lane = NULL;
		free(lane);
		return;
	}
	lane->in = &u->rounds;
	TAILQ_INSERT_TAIL(lane->in, lane, ring);
}

static struct conn *take(struct unit *u)
{
	struct lane *lane = next_lane(u);
	struct conn *c;

	if (!lane)
		return NULL;
	c = TAILQ_FIRST(&lane->waiting);
	TAILQ_REMOVE(&lane->waiting, c, waits);
	uncount_waiting(c);
	move_on(u, c->source);
	return c;
}

/* A client that gave up while it waited.  One that only said that it will send no more (a
 * half-close) is still there (H30). */
static bool is_gone(const struct conn *c)
{
	struct pollfd p = { .fd = c->plan.connection };

	return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR);
}

static void refuse_waiting(struct conn *c, enum reason reason)
{
	struct arrival a;

	arrival_init(&a, c->unit, &c->ends);
	a.source = c->source;
	admit_refused(&a, reason, &c->ends.remote);
	conn_refuse(c);
}

/* A start copies descriptors up to the connection's number, so it should be low again. */
static void lower(struct conn *c)
{
	int low = fcntl(c->plan.connection, F_DUPFD_CLOEXEC, 0);

	if (low < 0)
		return;
	fd_close(&c->plan.connection);
	c->plan.connection = low;
}

/* True if one that waited has been taken; false as well if something is short. */
static bool serve_one(struct unit *u)
{
	struct conn *c;

	if (!u->waiting || !admit_place(u))
		return false;
	if (launch_prepare(u, false) < 0) {
		room_retry(u->daemon);
		return false;
	}
	c = take(u);
	if (is_gone(c)) {
		refuse_waiting(c, REASON_GONE);
	} else {
		lower(c);
		if (launch(c) != 0) {
			room_retry(u->daemon);
			return false;
		}
	}
	room_pass_on(u);
	return true;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	queue_serve_all(arg);
}

static void serve_later(struct daemon *d)
{
	poll_within(&d->queue_timer, d->base, 0, on_timer, d);
}

void queue_serve_all(struct daemon *d)
{
	size_t idle = 0;
	int left = BATCH;

	while (idle < d->queueing_count && admit_place_of_all(d)) {
		struct unit *u = TAILQ_FIRST(&d->queueing);

		if (!left) {
			serve_later(d);
			return;
		}
		d->kernels_turn = !d->kernels_turn;
		if (d->kernels_turn && room_let_in(d)) {
			left = 0; /* it may have been a whole batch of accepts */
			continue;
		}
		TAILQ_REMOVE(&d->queueing, u, queueing);
		TAILQ_INSERT_TAIL(&d->queueing, u, queueing);
		if (serve_one(u)) {
			left--;
			idle = 0;
		} else {
			idle++;
		}
	}
}

void queue_serve(struct unit *u)
{
	struct daemon *d = u->daemon;

	if (d->config->max_connections) {
		queue_serve_all(d);
		return;
	}
	for (int i = 0; i < BATCH; i++)
		if (!serve_one(u))
			return;
	serve_later(d);
}

static void each_in(
	const struct lanes *lanes, void (*each)(const struct conn *c, void *context), void *context)
{
	const struct lane *lane;
	const struct conn *c;

	TAILQ_FOREACH (lane, lanes, ring)
		TAILQ_FOREACH (c, &lane->waiting, waits)
			each(c, context);
}

void queue_each(
	const struct unit *u, void (*each)(const struct conn *c, void *context), void *context)
{
	each_in(&u->fresh, each, context);
	each_in(&u->rounds, each, context);
}

void queue_refuse_all(struct unit *u)
{
	struct conn *c;

	while ((c = take(u)))
		refuse_waiting(c, REASON_STOP);
}
