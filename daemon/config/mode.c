#include "daemon/config/mode.h"

#include "daemon/config/build.h"
#include "daemon/model/plan.h"

#include <linux/capability.h>
#include <string.h>

#define DATAGRAM_IDLE_MS 60000 /* nobody says goodbye by UDP */

static bool has_kind(const struct draft *d, bool (*is)(const struct addr *))
{
	for (size_t i = 0; i < d->s.listen_count; i++) {
		if (is(&d->s.listen[i]))
			return true;
	}
	return false;
}

static bool is_stream(const struct addr *a)
{
	return !addr_is_datagram(a);
}

static bool is_other_datagram(const struct addr *a)
{
	return a->kind == ADDR_DGRAM;
}

/* Everybody may, in words that take back what `defaults` say. */
static bool lets_all_in(const struct peers *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].form != PEER_ANY)
			return false;
	}
	return true;
}

/* ---- wait: superd meets no client ---- */

/* Names the service where the place does not: `defaults` may be wrong for one of many. */
static void complain_of_wait(struct loader *l, const struct draft *d, const char *key)
{
	const struct place *at = &d->places[schema_find(schema_service, key) - schema_service];
	bool named = !at->owner || strcmp(at->owner, d->name.owner) == 0;

	draft_complain(l, d, key,
		"in mode \"wait\"%s%s%s the program meets its clients itself, so superd cannot do "
		"this",
		named ? "" : ", as of ", named ? "" : d->name.owner, named ? "" : ",");
}

static void check_wait(struct loader *l, const struct draft *d)
{
	const struct service *s = &d->s;
	const struct {
		const char *key;
		bool in_force;
	} keys[] = {
		{ "allow", draft_has(d, "allow") && !lets_all_in(&d->allow) },
		{ "deny", d->deny.count },
		{ "max_per_source", s->max_per_source },
		{ "rate", s->rate.interval_us },
		{ "rate_per_source", s->rate_per_source.interval_us },
		{ "ban", s->ban.after },
		{ "reject_message", s->reject_message && *s->reject_message },
		{ "on_limit", d->on_limit },
		{ "proxy_protocol", draft_has(d, "proxy_protocol") },
		{ "close", d->close },
		{ "trap", draft_has(d, "trap") },
	};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (keys[i].in_force)
			complain_of_wait(l, d, keys[i].key);
	}
	if (s->idle_timeout_ms)
		draft_complain(l, d, "idle_timeout",
			"in mode \"wait\" the program meets its clients itself; idle_exit ends it "
			"when "
			"none comes");
	if (s->max_connections && s->instances > s->max_connections)
		draft_complain(l, d, "instances", "is more than max_connections, %u",
			(unsigned)s->max_connections);
	if (!s->datagrams && s->listen_count > PLAN_LISTENERS_MAX)
		draft_complain(l, d, "listen",
			"a program in mode \"wait\" is handed %d sockets at most, not %zu",
			PLAN_LISTENERS_MAX, s->listen_count);
}

/* ---- nowait ---- */

/* A sender's address can be forged: who is told something, or banned, may be somebody else. */
static void check_forged(struct loader *l, const struct draft *d)
{
	static const char why[] = "the sender of a datagram can be forged, so this could be used "
				  "against others";

	if (d->s.reject_message && *d->s.reject_message)
		draft_complain(l, d, "reject_message", why);
	if (d->s.ban.after)
		draft_complain(l, d, "ban", why);
	if (draft_has(d, "trap"))
		draft_complain(l, d, "trap", why);
}

static void check_peers(struct loader *l, struct draft *d)
{
	struct service *s = &d->s;

	if (has_kind(d, is_other_datagram))
		draft_complain(l, d, "mode",
			"a unix socket's datagrams come from senders without an address; only "
			"\"wait\" can serve them");
	if (has_kind(d, addr_is_multicast))
		draft_complain(l, d, "mode",
			"a group of receivers is no address to answer from; only \"wait\" can "
			"serve "
			"it");
	if (s->socket.device)
		draft_complain(l, d, "device",
			"does not go together with a process for each peer; mode \"wait\" does");
	if (s->enabled && !build_may(CAP_NET_RAW))
		draft_complain(l, d, "mode",
			"a process for each peer of UDP needs root (CAP_NET_RAW), which puts the "
			"first "
			"datagram before it; mode \"wait\" does not");
	if (!s->max_connections)
		draft_complain(l, d, "max_connections",
			"0 is no limit, and nothing else bounds how many senders have a process");
	if (d->close)
		draft_complain(l, d, "close", "there is no connection that could linger");
	if (draft_has(d, "proxy_protocol"))
		draft_complain(l, d, "proxy_protocol", "proxies come by TCP");
	if (!draft_has(d, "idle_timeout") && has_kind(d, addr_is_ip))
		s->idle_timeout_ms = DATAGRAM_IDLE_MS;
	else if (draft_has(d, "idle_timeout") && !s->idle_timeout_ms)
		draft_complain(l, d, "idle_timeout",
			"nobody says goodbye by UDP, so there has to be a time");
	check_forged(l, d);
}

/* ---- both ---- */

static void check_sockets(struct loader *l, const struct draft *d)
{
	if (!d->s.listen_count)
		return; /* it was complained about */
	if (d->s.socket.device && !*d->s.socket.device)
		draft_complain(l, d, "device", "the name is empty");
	else if (d->s.socket.device && !has_kind(d, addr_is_ip))
		draft_complain(l, d, "device", "only IP addresses are found on an interface");
	if (d->s.datagrams && has_kind(d, is_stream))
		draft_complain(l, d, "listen",
			"a service has either streams or datagrams; these are two services");
}

static bool is_unknown(const struct addr *a)
{
	return a->kind == ADDR_FD;
}

void mode_build(struct loader *l, struct draft *d)
{
	bool given = draft_has(d, "mode");

	if (has_kind(d, is_unknown)) {
		/* Without the sockets, this is all that can be said. */
		d->s.wait = given && d->mode == 1;
		return;
	}
	d->s.datagrams = has_kind(d, addr_is_datagram);
	check_sockets(l, d);
	d->s.wait = given ? d->mode == 1 : d->s.datagrams;
	if (d->s.wait) {
		check_wait(l, d);
		return;
	}
	if (d->s.datagrams)
		check_peers(l, d);
	if (d->s.idle_exit_ms)
		draft_complain(l, d, "idle_exit", "is for mode \"wait\"; here it is idle_timeout");
	if (d->s.instances > 1)
		draft_complain(
			l, d, "instances", "is for mode \"wait\"; here it is max_connections");
}
