#include "daemon/run/admit.h"

#include "daemon/base/clock.h"
#include "daemon/run/bans.h"

#include <arpa/inet.h>

static bool reached(uint32_t count, uint32_t limit)
{
	return limit && count >= limit;
}

static uint32_t holds(const struct source *s)
{
	return s->live + s->waiting;
}

bool admit_place_of_all(const struct daemon *d)
{
	return !reached(d->live, d->config->max_connections);
}

bool admit_place(const struct unit *u)
{
	return !reached(u->live, u->service->max_connections) && admit_place_of_all(u->daemon);
}

/* Of the others there is no connection that could be put aside. */
static bool queues(const struct service *s)
{
	return !s->wait && !s->datagrams;
}

enum room admit_room(const struct unit *u)
{
	const struct service *s = u->service;

	if (s->trap_ms || (queues(s) && u->waiting < s->queue))
		return ROOM;
	if (u->waiting && admit_place(u))
		return ROOM_SHORT;
	if (s->reject_when_full)
		return ROOM;
	if (reached(u->live, s->max_connections))
		return ROOM_SERVICE_FULL;
	return admit_place_of_all(u->daemon) ? ROOM : ROOM_TOTAL_FULL;
}

void arrival_init(struct arrival *a, struct unit *u, const struct ends *e)
{
	*a = (struct arrival){ .unit = u };
	if (!acl_key_of(&e->remote, &a->key)) {
		a->key = acl_key_of_id(ACL_UID, e->uid);
		a->gid = e->gid;
	}
}

struct source *arrival_source(struct arrival *a)
{
	struct unit *u = a->unit;

	if (!a->source) {
		const struct service *s = u->service;
		struct acl_prefix p = acl_source(&a->key, s->source_bits_v4, s->source_bits_v6);

		a->source = sources_get(u->daemon->sources, &p.key, u->number);
	}
	return a->source;
}

/* A uid's rule goes before a gid's. */
static enum acl_verdict match(struct arrival *a, const struct acl *acl)
{
	enum acl_verdict v = acl_match(acl, &a->key, &a->rule);

	if (v == ACL_NONE && a->key.kind == ACL_UID) {
		struct acl_key group = acl_key_of_id(ACL_GID, a->gid);

		v = acl_match(acl, &group, &a->rule);
	}
	a->has_rule = v != ACL_NONE;
	return v;
}

bool admit_listed(struct arrival *a)
{
	const struct access *access = &a->unit->service->access;
	enum acl_verdict v = access->acl ? match(a, access->acl) : ACL_NONE;

	return v == ACL_ALLOW || (v == ACL_NONE && !access->allow_only);
}

bool admit_proxy(struct arrival *a)
{
	return match(a, a->unit->service->proxies) == ACL_ALLOW;
}

enum reason admit(struct arrival *a)
{
	struct unit *u = a->unit;
	const struct service *s = u->service;
	uint64_t now_us;

	if (bans_match(u->daemon, &a->key, &a->rule)) {
		a->has_rule = true;
		return REASON_BAN;
	}
	if (s->trap_ms)
		return REASON_TRAP;
	if (!admit_listed(a))
		return REASON_DENY;
	if (s->reject_when_full && !a->declared && !admit_place(u))
		return REASON_FULL;
	now_us = clock_us();
	if (s->max_per_source && holds(arrival_source(a)) >= s->max_per_source)
		return REASON_PER_SOURCE;
	if (s->rate_per_source.interval_us &&
		!bucket_take(&arrival_source(a)->bucket, &s->rate_per_source, now_us))
		return REASON_RATE_PER_SOURCE;
	if (!bucket_take(&u->bucket, &s->rate, now_us))
		return REASON_RATE;
	return ADMITTED;
}

const char *reason_name(enum reason r)
{
	static const char *const names[REASON_COUNT] = {
		[ADMITTED] = "admitted",
		[REASON_BAN] = "ban",
		[REASON_TRAP] = "trap",
		[REASON_DENY] = "deny",
		[REASON_PROXY] = "proxy",
		[REASON_ADDRESS] = "address",
		[REASON_FULL] = "max_connections",
		[REASON_PER_SOURCE] = "max_per_source",
		[REASON_RATE_PER_SOURCE] = "rate_per_source",
		[REASON_RATE] = "rate",
		[REASON_GONE] = "gone",
		[REASON_STOP] = "stop",
	};

	return r < REASON_COUNT ? names[r] : "?";
}

/* ---- what follows from a refusal */

static void tell(const struct arrival *a, enum reason reason, const struct addr *peer)
{
	struct unit *u = a->unit;
	char text[ADDR_TEXT_MAX], rule[ACL_TEXT_MAX];
	uint32_t silent = 0;
	struct log_line l;

	/* With -v each of them; else one a second with the number of the others (H37). */
	if (!log_on(LOG_INFO) && !pace_take(&u->refused_pace, clock_ms(), &silent))
		return;
	log_begin(&l, LOG_NOTICE, "reject");
	log_str(&l, "service", u->service->name);
	log_str(&l, "peer", addr_format(peer, text));
	log_str(&l, "reason", reason_name(reason));
	if (a->has_rule)
		log_str(&l, "rule", acl_format(&a->rule, rule));
	if (silent)
		log_num(&l, "repeated", silent);
	log_end(&l);
}

/* Refusals that are the peer's own doing. */
static bool counts_for_ban(enum reason r)
{
	return r == REASON_DENY || r == REASON_PER_SOURCE || r == REASON_RATE_PER_SOURCE;
}

static void ban_offender(struct arrival *a, enum reason reason)
{
	const struct service *s = a->unit->service;
	struct acl_prefix who = acl_source(&a->key, s->source_bits_v4, s->source_bits_v6);
	uint64_t now_us = clock_us();
	struct source *source;

	if (reason == REASON_TRAP) {
		bans_add(a->unit->daemon, &who, s->trap_ms, s->name);
		return;
	}
	if (!s->ban.after || !counts_for_ban(reason))
		return;
	source = arrival_source(a);
	if (now_us - source->refused_since_us > s->ban.within_ms * 1000) {
		source->refused_since_us = now_us;
		source->refused = 0;
	}
	if (++source->refused < s->ban.after)
		return;
	source->refused = 0;
	bans_add(a->unit->daemon, &who, s->ban.for_ms, s->name);
}

void admit_refused(struct arrival *a, enum reason reason, const struct addr *peer)
{
	if (a->declared)
		a->unit->refused_late++;
	else
		a->unit->refused[reason]++;
	tell(a, reason, peer);
	ban_offender(a, reason);
}
