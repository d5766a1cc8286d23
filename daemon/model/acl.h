/* Access lists: prefixes of addresses with a verdict, the longest match decides.
 * Pure.  A path-compressed binary trie for each kind of address: a lookup takes as many steps as
 * there are prefixes around the address, not as there are in the list. */
#ifndef MODEL_ACL_H
#define MODEL_ACL_H

#include "daemon/model/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum acl_verdict {
	ACL_NONE, /* no rule matches */
	ACL_ALLOW,
	ACL_DENY,
};

enum acl_kind {
	ACL_IPV4, /* v4-mapped IPv6 is this, too (H7) */
	ACL_IPV6,
	ACL_UID, /* of a unix socket's peer */
	ACL_GID,
	ACL_CID, /* of a vsock's peer; no list names one, but "all" are these, too */
	ACL_KINDS,
};

/* An address as the lists see it; all but IPv6 have four bytes, the first most significant. */
struct acl_key {
	uint8_t bytes[16];
	uint8_t kind; /* enum acl_kind */
};

struct acl_prefix {
	struct acl_key key;
	uint8_t bits; /* 0 to 32, of IPv6 to 128 */
};

struct acl;

struct acl *acl_new(void);
void acl_free(struct acl *a); /* NULL is fine */

/* Adds a rule.  The same prefix twice: deny wins. */
void acl_add(struct acl *a, const struct acl_prefix *p, enum acl_verdict verdict);

/* What holds for an address.  *rule, unless NULL, becomes the prefix that decided. */
enum acl_verdict acl_match(const struct acl *a, const struct acl_key *k, struct acl_prefix *rule);

/* How many rules there are. */
size_t acl_count(const struct acl *a);

/* The key of an IP address or a CID; false if it is neither. */
bool acl_key_of(const struct addr *a, struct acl_key *out);

/* The key of a number. */
struct acl_key acl_key_of_id(enum acl_kind kind, uint32_t id);

/* Parses "10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "uid:1000", "gid:100".  Bits behind the prefix
 * must be zero.  NULL, or what is wrong (a static string). */
const char *acl_parse(const char *text, struct acl_prefix *out);

/* The prefix as text, in the form that acl_parse takes.  Returns `out`. */
#define ACL_TEXT_MAX (INET6_ADDRSTRLEN + 4)
char *acl_format(const struct acl_prefix *p, char out[ACL_TEXT_MAX]);

/* Cuts an address down to its prefix: what counts as one source (H8).  A uid is one whole. */
struct acl_prefix acl_source(const struct acl_key *k, uint8_t bits_v4, uint8_t bits_v6);

bool acl_same(const struct acl_key *a, const struct acl_key *b);

#endif
