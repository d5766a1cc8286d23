/* Who a peer may be: the texts of `allow`, `deny` and `from`, in a configuration or in a file of
 * theirs.  Names of accounts are told from numbers here, and looked up later: what depends on this
 * machine is not asked of a disabled service. */
#ifndef CONFIG_PEERS_H
#define CONFIG_PEERS_H

#include "daemon/config/loader.h"

#include <uthash.h>

/* Parses a prefix, "localhost", "all", "uid:NAME" or "gid:NAME" into `out`, which borrows the text.
 * NULL, or what is wrong with it (static). */
const char *peer_parse(const char *text, struct peer *out);

/* Looks the account up, if it is one by name.  NULL, or what is wrong, in `why`. */
const char *peer_resolve(struct loader *l, struct peer *p, char why[160]);

/* A file of such texts, a line each, # begins a comment. */
struct peer_file {
	const char *name;        /* the hash key */
	const char *wrong;       /* it cannot be read, for a person; NULL: it was */
	struct acl_prefix *list; /* owned */
	size_t count, cap;
	bool has_ip, has_id;
	UT_hash_handle hh;
};

/* The file, read once however many name it; complaints about its lines are made by then. */
const struct peer_file *peer_file_get(struct loader *l, const char *name);

void peer_files_forget(struct loader *l);

#endif
