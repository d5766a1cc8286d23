/* wait4(-1) looks at the children one after the other, those that live first, so each end would
 * cost more the more there are: with 4,000 idle connections superd had a quarter of its speed.
 * With more than FEW it asks by number, which the kernel answers at once: for the child that the
 * signal names, and for the young ones, who end often.  Signals that are pending together become
 * one, so an older child's may be lost: a sweep looks for those, rarely enough to cost a per cent
 * of a processor at most.
 *
 * Where one ends, one that waited is started, and may have ended before we look again: so a
 * wake-up reaps a bounded number, and the rest is for the next turn of the loop (H24). */
#include "daemon/run/reaper.h"

#include "daemon/run/conns.h"
#include "daemon/run/leftover.h"
#include "daemon/run/poll.h"
#include "daemon/run/reports.h"
#include "daemon/run/tour.h"
#include "daemon/run/upgrade.h"

#include <stdlib.h>
#include <sys/wait.h>

#define FEW 64
#define BATCH 64

/* A walk over 4,000 children takes 0.2 ms; a sweep is a few of them, every 80 ms. */
#define SWEEP_MS(live) (20 + (live) / 64)
#define WALKS 8

/* 126 and 127 are what a child exits with that could not exec; a handler may say so too. */
static bool may_have_failed(int status)
{
	return WIFEXITED(status) && (WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127);
}

static void close_it(struct conn *c, int status, const struct rusage *used)
{
	struct daemon *d = c->unit->daemon;

	if (log_on(LOG_TOUR))
		reports_read(d);
	if (may_have_failed(status))
		reports_tell_failure(d, c);
	reports_forget(d, c);
	tour_reaped(c, status);
	conn_close(c, status, used);
}

enum ended { NOBODY, OURS, STRANGER };

/* One that has ended, of the number `which` or, with -1, of any. */
static enum ended reap_one(struct daemon *d, pid_t which)
{
	struct rusage used;
	int status;
	pid_t pid = wait4(which, &status, WNOHANG, &used);
	struct conn *c;

	if (pid <= 0)
		return NOBODY;
	c = conn_find(d, pid);
	if (!c)
		return upgrade_reaped(d, pid, status) ? OURS : STRANGER;
	close_it(c, status, &used);
	return OURS;
}

static void on_sweep_timer(evutil_socket_t fd, short what, void *arg);

static void sweep_at_once(struct daemon *d)
{
	poll_after(&d->sweep_timer, d->base, 0, on_sweep_timer, d);
}

static void sweep_later(struct daemon *d)
{
	poll_within(&d->sweep_timer, d->base, SWEEP_MS(HASH_COUNT(d->conns)), on_sweep_timer, d);
}

/* At most so many.  True: there is no more. */
static bool reap_any(struct daemon *d, int most)
{
	enum ended who = OURS;
	bool strangers = false;

	for (int i = 0; i < most && who != NOBODY; i++) {
		who = reap_one(d, -1);
		strangers |= who == STRANGER;
	}
	if (strangers)
		leftover_check(d);
	return who == NOBODY;
}

void reap_all(struct daemon *d)
{
	if (!reap_any(d, BATCH))
		sweep_at_once(d);
}

struct numbers {
	pid_t *pids;
	size_t count, cap;
};

static void note(struct numbers *n, pid_t pid)
{
	n->pids = mem_reserve(n->pids, &n->cap, n->count + 1, sizeof *n->pids);
	n->pids[n->count++] = pid;
}

/* Who is asked for was noted first: where one ends, another may begin. */
static void ask_each(struct daemon *d, struct numbers *n)
{
	int ended = 0;

	for (size_t i = 0; i < n->count && ended < BATCH; i++)
		ended += reap_one(d, n->pids[i]) != NOBODY;
	if (ended == BATCH)
		sweep_at_once(d);
	free(n->pids);
}

static void ask_the_young(struct daemon *d)
{
	struct numbers n = { 0 };
	const struct conn *c;

	TAILQ_FOREACH (c, &d->young, in_young)
		note(&n, c->pid);
	ask_each(d, &n);
}

static void ask_all(struct daemon *d)
{
	struct numbers n = { 0 };

	for (const struct conn *c = d->conns; c; c = c->hh.next)
		note(&n, c->pid);
	ask_each(d, &n);
}

/* What the young ones leave to be found is little, as a rule, and a few walks find it; if a great
 * many have ended together, it is cheaper to ask each.  Strangers have no number that we know. */
static void sweep(struct daemon *d)
{
	ask_the_young(d);
	if (reap_any(d, WALKS))
		return;
	ask_all(d);
	reap_all(d);
}

static void on_sweep_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	sweep(arg);
}

void reap(struct daemon *d, pid_t named)
{
	if (HASH_COUNT(d->conns) <= FEW) {
		reap_all(d);
		return;
	}
	if (reap_one(d, named) == STRANGER)
		leftover_check(d);
	ask_the_young(d);
	sweep_later(d);
}

void reaper_free(struct daemon *d)
{
	poll_forget(&d->sweep_timer);
}
