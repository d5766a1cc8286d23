#include "daemon/run/units.h"

#include "daemon/run/admit.h"
#include "daemon/run/idle.h"
#include "daemon/run/listener.h"
#include "daemon/run/peers.h"
#include "daemon/run/reserve.h"
#include "daemon/run/room.h"
#include "daemon/run/wait.h"

#include <stdlib.h>
#include <string.h>

struct unit *unit_new(struct daemon *d, struct config *config, const struct service *service)
{
	struct unit *u = mem_new(sizeof *u);

	u->daemon = d;
	u->number = d->units_made++;
	u->config = config_ref(config);
	u->service = service;
	u->state = service->enabled ? UNIT_OPEN : UNIT_CLOSED;
	TAILQ_INIT(&u->listeners);
	TAILQ_INIT(&u->full);
	TAILQ_INIT(&u->stopped);
	TAILQ_INIT(&u->fresh);
	TAILQ_INIT(&u->rounds);
	return u;
}

void unit_free(struct unit *u)
{
	listeners_close(u);
	metrics_fini(&u->metrics);
	waiter_free(u->waiter);
	config_unref(u->config);
	free(u);
}

const char *unit_needs(struct daemon *d, const struct service *s)
{
	if (!s->enabled)
		return NULL;
	if ((s->idle_timeout_ms || s->idle_exit_ms) && idle_open(d) < 0)
		return "idle_timeout and idle_exit need sock_diag(7) of the kernel";
	if (s->datagrams && !s->wait && peers_open(d) < 0)
		return "a pipe for datagrams";
	return NULL;
}

struct unit *unit_find(const struct daemon *d, const char *name)
{
	struct unit *u;

	TAILQ_FOREACH (u, &d->units, all)
		if (strcmp(u->service->name, name) == 0)
			return u;
	return NULL;
}

void unit_tune(struct unit *u, struct config *config, const struct service *service)
{
	struct config *before = u->config;

	u->config = config_ref(config);
	u->service = service;
	config_unref(before);
}

void unit_configure(struct unit *u, struct config *config, const struct service *service)
{
	unit_tune(u, config, service);
	if (u->state == UNIT_REMOVED)
		u->daemon->units_removed--;
	u->state = service->enabled ? UNIT_OPEN : UNIT_CLOSED;
}

void unit_tell_ledger(const struct unit *u)
{
	struct log_line l;

	if (!u->arrived)
		return;
	log_begin(&l, LOG_NOTICE, "ledger");
	log_str(&l, "service", u->service->name);
	log_num(&l, "arrived", (int64_t)u->arrived);
	log_num(&l, "accepted", (int64_t)u->accepted);
	log_num(&l, "closed", (int64_t)u->closed);
	log_num(&l, "live", u->live + u->lingering);
	log_num(&l, "waiting", u->waiting);
	for (enum reason r = ADMITTED + 1; r < REASON_COUNT; r++)
		if (u->refused[r])
			log_num(&l, reason_name(r), (int64_t)u->refused[r]);
	if (u->refused_late)
		log_num(&l, "refused_late", (int64_t)u->refused_late);
	log_end(&l);
}

void unit_list(struct unit *u)
{
	TAILQ_INSERT_TAIL(&u->daemon->units, u, all);
	u->daemon->units_count++;
	u->listed = true;
}

void units_take(struct daemon *d, struct units *into)
{
	TAILQ_CONCAT(into, &d->units, all);
	d->units_count = 0;
}

void unit_remove(struct unit *u)
{
	listeners_close(u);
	if (u->state != UNIT_REMOVED)
		u->daemon->units_removed++;
	u->state = UNIT_REMOVED;
}

void unit_pause(struct unit *u)
{
	if (u->state != UNIT_OPEN)
		return;
	u->state = UNIT_PAUSED;
	room_pause(u);
}

void unit_resume(struct unit *u)
{
	if (u->state != UNIT_PAUSED)
		return;
	u->state = UNIT_OPEN;
	room_resume(u);
}

void unit_close(struct unit *u)
{
	if (u->state != UNIT_OPEN && u->state != UNIT_PAUSED)
		return;
	u->state = UNIT_CLOSED;
	listeners_close(u);
	wait_recheck(u->daemon);
}

size_t unit_open(struct unit *u)
{
	if (u->state == UNIT_CLOSED) {
		u->state = UNIT_OPEN;
		listeners_open(u);
		reserve_fill(u->daemon);
	}
	unit_resume(u);
	return listeners_missing(u);
}

static void sweep(struct unit *u)
{
	struct daemon *d = u->daemon;

	unit_tell_ledger(u);
	TAILQ_REMOVE(&d->units, u, all);
	d->units_count--;
	d->units_removed--;
	unit_free(u);
}

void units_sweep(struct daemon *d)
{
	struct unit *u, *before;

	/* They are the last ones. */
	for (u = TAILQ_LAST(&d->units, units); u && u->state == UNIT_REMOVED; u = before) {
		before = TAILQ_PREV(u, units, all);
		if (!u->live && !u->waiting && !u->lingering)
			sweep(u);
	}
}
