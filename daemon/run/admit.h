/* Who gets in: every reason to refuse is one value here and one `if` in admit.c.
 * Refusals come before any process and cost the same however long the lists are (H33); a limit
 * hits the offender only and decays by itself (H32). */
#ifndef RUN_ADMIT_H
#define RUN_ADMIT_H

#include "daemon/run/state.h"

enum room {
	ROOM,
	ROOM_SERVICE_FULL,
	ROOM_TOTAL_FULL,
	ROOM_SHORT, /* there are places, but those who wait already cannot be started */
};

/* Is it worth to accept one more connection of this service?  While it is not, clients wait in
 * the kernel's backlog. */
enum room admit_room(const struct unit *u);

/* Is there a place for one more handler of this service, now? */
bool admit_place(const struct unit *u);

/* The same of the places that all services share. */
bool admit_place_of_all(const struct daemon *d);

/* A connection that asks for admission. */
struct arrival {
	struct unit *unit;
	struct acl_key key;    /* the peer's address, or its uid */
	uint32_t gid;          /* of a unix peer */
	bool declared;         /* by a proxy, of a connection that is in the books already */
	struct source *source; /* out: NULL where the service does not ask for it */
	bool has_rule;
	struct acl_prefix rule; /* out: the line of a list that decided */
};

/* Who the peer is, by the kernel's word (`ends`). */
void arrival_init(struct arrival *a, struct unit *u, const struct ends *e);

/* ADMITTED, or the reason not to. */
enum reason admit(struct arrival *a);

/* Do the lists of the service let it in?  Notes the rule that decided. */
bool admit_listed(struct arrival *a);

/* Is the peer one of the proxies whose declarations this service believes? */
bool admit_proxy(struct arrival *a);

/* The record of the arrival's source, made if the service had no need of it so far. */
struct source *arrival_source(struct arrival *a);

/* Counts a refusal, logs it, and bans whoever has had too many. */
void admit_refused(struct arrival *a, enum reason reason, const struct addr *peer);

/* The word for the log. */
const char *reason_name(enum reason r);

#endif
