/* Names of users and groups to numbers, through NSS.  Only at load: a lookup may block (H16, H24).
 */
#ifndef OS_ACCOUNTS_H
#define OS_ACCOUNTS_H

#include "daemon/base/mem.h"
#include "daemon/model/service.h"

/* A user by name or by number ("1000", which needs no entry).  Fills uid, gid, user, home and
 * shell; strings are put into the arena.
 * Returns 0, or -1 with errno (ENOENT: there is none of that name). */
int accounts_user(const char *name, struct arena *arena, struct identity *out);

/* Fills in its supplementary groups, the user's own first, in the arena; a number without an
 * account has none.  A question of its own, because it goes to every source of groups that the
 * machine has: with Debian's libnss-systemd that alone is 600 KB of libraries. */
void accounts_groups(struct identity *of, struct arena *arena);

/* A group by name or number.  0, or -1 with errno (ENOENT). */
int accounts_group(const char *name, gid_t *out);

/* Who superd is itself: uid, gid and groups, the latter on the heap, the caller's. */
void accounts_own(struct identity *out);

#endif
