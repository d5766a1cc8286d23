#include "daemon/run/explain.h"

#include "daemon/base/clock.h"
#include "daemon/run/admit.h"
#include "daemon/run/bans.h"

static struct source *source_of(const struct unit *u, const struct acl_key *key)
{
	const struct service *s = u->service;
	struct acl_prefix p = acl_source(key, s->source_bits_v4, s->source_bits_v6);

	return sources_find(u->daemon->sources, &p.key, u->number);
}

static bool refuses(
	struct explanation *e, enum reason reason, const struct bucket *b, const struct rate *r)
{
	uint64_t wait_us = b ? bucket_wait_us(b, r, clock_us()) : 0;

	if (!wait_us)
		return false;
	e->reason = reason;
	e->again_ms = wait_us / 1000 + 1;
	return true;
}

static void ask_limits(struct explanation *e, const struct unit *u, const struct source *source)
{
	const struct service *s = u->service;

	if (s->reject_when_full && !admit_place(u))
		e->reason = REASON_FULL;
	else if (s->max_per_source && source && source->live + source->waiting >= s->max_per_source)
		e->reason = REASON_PER_SOURCE;
	else if (!refuses(e, REASON_RATE_PER_SOURCE, source ? &source->bucket : NULL,
			 &s->rate_per_source))
		refuses(e, REASON_RATE, &u->bucket, &s->rate);
	e->waits = e->reason == ADMITTED && !admit_place(u);
}

struct explanation explain(struct unit *u, const struct acl_key *key)
{
	const struct source *source = source_of(u, key);
	struct explanation e = { .reason = ADMITTED };
	struct arrival a = { .unit = u, .key = *key };

	if (source) {
		e.live = source->live;
		e.refused = source->refused;
	}
	if (bans_match(u->daemon, key, &e.rule)) {
		e.reason = REASON_BAN;
		e.has_rule = true;
		e.again_ms = bans_left_ms(u->daemon, &e.rule);
		return e;
	}
	if (u->service->trap_ms)
		e.reason = REASON_TRAP;
	else if (!admit_listed(&a))
		e.reason = REASON_DENY;
	else
		ask_limits(&e, u, source);
	e.has_rule = a.has_rule;
	e.rule = a.rule;
	return e;
}
