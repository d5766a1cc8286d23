#include "daemon/run/exchange.h"

#include "daemon/run/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_MS 50 /* as a rule it takes one; who is slower is waited for with a retry (H10) */

/* An address of the new configuration. */
struct wanted {
	const struct addr *addr;
	const struct service *service;
	struct unit *unit;         /* that of the service */
	struct listener *listener; /* NULL: not yet */
};

static void list_old(struct exchange *x, const struct daemon *d)
{
	struct listener *l;
	struct unit *u;

	TAILQ_FOREACH (u, &d->units, all)
		x->had_count += u->listeners_count;
	x->old = mem_array(x->had_count, sizeof *x->old);
	x->had = mem_array(x->had_count, sizeof(struct listener *));
	x->had_count = 0;
	TAILQ_FOREACH (u, &d->units, all)
		TAILQ_FOREACH (l, &u->listeners, all) {
			size_t n = x->had_count++;

			x->had[n] = l;
			x->old[n] = (struct diff_item){ l->wanted, u->service->name, n, DIFF_NONE };
		}
}

static size_t count_of(const struct service *s)
{
	return s->enabled ? s->listen_count : 0;
}

static void list_new(struct exchange *x, const struct config *c, struct unit *const *units)
{
	for (size_t i = 0; i < c->services_count; i++)
		x->wanted_count += count_of(&c->services[i]);
	x->new = mem_array(x->wanted_count, sizeof *x->new);
	x->wanted = mem_array(x->wanted_count, sizeof *x->wanted);
	x->wanted_count = 0;
	for (size_t i = 0; i < c->services_count; i++) {
		const struct service *s = &c->services[i];

		for (size_t k = 0; k < count_of(s); k++) {
			size_t n = x->wanted_count++;

			x->wanted[n] = (struct wanted){ &s->listen[k], s, units[i], NULL };
			x->new[n] = (struct diff_item){ &s->listen[k], s->name, n, DIFF_NONE };
		}
	}
}

/* "7000" cannot be bound while "127.0.0.1:7000" is open; it has to come after the change.  What was
 * handed over stays open even then. */
static bool in_the_way(const struct exchange *x, const struct addr *addr)
{
	for (size_t i = 0; i < x->had_count; i++)
		if (x->old[i].match == DIFF_NONE && !x->old[i].addr->handed &&
			addr_clash(x->old[i].addr, addr))
			return true;
	return false;
}

static void open_one(struct exchange *x, struct wanted *w, struct complaints *complaints)
{
	char text[ADDR_TEXT_MAX];
	const char *call;

	x->opened++;
	w->listener = listener_new(w->unit, w->addr);
	if (listener_bind(w->listener, w->service, &call) == 0)
		return;
	if (x->patient || (errno == EADDRINUSE && in_the_way(x, w->addr)))
		return;
	complain(complaints, w->service->place, 0, 0, "service '%s': listen: %s: %s: %s",
		w->service->name, addr_format(w->addr, text), call, strerror(errno));
}

bool exchange_prepare(struct exchange *x, struct daemon *d, const struct config *config,
	struct unit *const *units, struct complaints *complaints)
{
	size_t before = complaints->count;

	list_old(x, d);
	list_new(x, config, units);
	diff_pair(x->old, x->had_count, x->new, x->wanted_count);
	for (size_t i = 0; i < x->wanted_count; i++)
		if (x->new[i].match == DIFF_NONE)
			open_one(x, &x->wanted[x->new[i].index], complaints);
	return complaints->count == before;
}

void exchange_take(struct exchange *x)
{
	for (size_t i = 0; i < x->had_count; i++)
		listener_detach(x->had[i]);
	for (size_t i = 0; i < x->had_count; i++)
		if (x->old[i].match == DIFF_NONE)
			listener_free(x->had[x->old[i].index]);
		else
			x->wanted[x->old[i].match].listener = x->had[x->old[i].index];
}

/* What could not be bound before the change can be now, unless a child that has not exec'ed yet has
 * a copy of the socket that was in the way. */
static void clear_the_way(const struct exchange *x)
{
	for (size_t i = 0; i < x->wanted_count; i++) {
		const struct listener *l = x->wanted[i].listener;

		if (l->fd < 0 && !l->retry) {
			start_settle(l->unit->daemon->starter, SETTLE_MS);
			return;
		}
	}
}

void exchange_give(struct exchange *x)
{
	clear_the_way(x);
	for (size_t i = 0; i < x->wanted_count; i++) {
		struct wanted *w = &x->wanted[i];

		listener_attach(w->listener, w->unit, w->addr);
	}
	for (size_t i = 0; i < x->wanted_count; i++)
		listener_renew(x->wanted[i].listener);
}

void exchange_abandon(struct exchange *x)
{
	for (size_t i = 0; i < x->wanted_count; i++)
		if (x->wanted[i].listener)
			listener_free(x->wanted[i].listener);
}

void exchange_fini(struct exchange *x)
{
	free(x->had);
	free(x->wanted);
	free(x->old);
	free(x->new);
}
