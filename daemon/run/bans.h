/* Who is kept out of all services for a while.  Each ban ends by itself; the list is bounded. */
#ifndef RUN_BANS_H
#define RUN_BANS_H

#include "daemon/run/state.h"

/* Bans a source; one that is banned already stays so for at least as long.  `why`: the service
 * whose rule it broke, for the log; NULL: somebody asked for it.  False: the list is full. */
bool bans_add(struct daemon *d, const struct acl_prefix *who, uint64_t for_ms, const char *why);

/* Is this address banned?  *rule, if so, is what was banned. */
bool bans_match(const struct daemon *d, const struct acl_key *key, struct acl_prefix *rule);

/* For an upgrade: goes on until a time. */
void bans_restore(struct daemon *d, const struct acl_prefix *who, uint64_t left_ms);

/* Ends a ban before its time.  False: there is none of exactly that. */
bool bans_end(struct daemon *d, const struct acl_prefix *who);

/* How long it will last; 0: there is none. */
uint64_t bans_left_ms(const struct daemon *d, const struct acl_prefix *who);

void bans_each(const struct daemon *d,
	void (*each)(const struct acl_prefix *who, uint64_t left_ms, void *context), void *context);

void bans_free(struct daemon *d);

#endif
