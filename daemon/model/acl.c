#include "daemon/model/acl.h"

#include "daemon/base/mem.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nodes stand in one array and name each other by index: half the size of pointers, and a
 * hundred thousand rules stay in few cache lines.  Index 0 is "none". */
struct node {
	uint8_t bytes[16];
	uint32_t child[2];
	uint8_t bits;
	uint8_t verdict; /* ACL_NONE: only a fork in the way */
};

struct acl {
	struct node *nodes;
	size_t count, cap, rules;
	uint32_t root[ACL_KINDS];
};

struct acl *acl_new(void)
{
	struct acl *a = mem_new(sizeof *a);

	a->nodes = mem_reserve(NULL, &a->cap, 1, sizeof *a->nodes);
	a->nodes[0] = (struct node){ 0 };
	a->count = 1;
	return a;
}

void acl_free(struct acl *a)
{
	if (a)
		free(a->nodes);
	free(a);
}

size_t acl_count(const struct acl *a)
{
	return a->rules;
}

static unsigned width_of(uint8_t kind)
{
	return kind == ACL_IPV6 ? 128 : 32;
}

static unsigned bit(const uint8_t *bytes, unsigned i)
{
	return bytes[i / 8] >> (7 - i % 8) & 1;
}

/* How many leading bits, at most `most`, are the same. */
static unsigned common(const uint8_t *a, const uint8_t *b, unsigned most)
{
	for (unsigned i = 0; i < most; i += 8) {
		unsigned differ = a[i / 8] ^ b[i / 8];

		if (differ) {
			unsigned n = i + (unsigned)__builtin_clz(differ) - 24;

			return n < most ? n : most;
		}
	}
	return most;
}

static void clear_behind(uint8_t *bytes, unsigned bits)
{
	for (unsigned i = bits; i < 128; i = (i / 8 + 1) * 8)
		bytes[i / 8] &= (uint8_t)(0xff00 >> i % 8);
}

static uint32_t node_new(
	struct acl *a, const uint8_t *bytes, unsigned bits, enum acl_verdict verdict)
{
	struct node *n;

	a->nodes = mem_reserve(a->nodes, &a->cap, a->count + 1, sizeof *a->nodes);
	n = &a->nodes[a->count];
	*n = (struct node){ .bits = (uint8_t)bits, .verdict = (uint8_t)verdict };
	memcpy(n->bytes, bytes, sizeof n->bytes);
	clear_behind(n->bytes, bits);
	return (uint32_t)a->count++;
}

/* The link is named by its owner and side, for the array may move. */
static void set_link(struct acl *a, uint8_t kind, uint32_t owner, unsigned side, uint32_t to)
{
	if (owner)
		a->nodes[owner].child[side] = to;
	else
		a->root[kind] = to;
}

/* Puts a node where `below` hangs now: above it, or beside it under a new fork. */
static void split(struct acl *a, const struct acl_prefix *p, enum acl_verdict verdict,
	uint32_t owner, unsigned side, uint32_t below, unsigned same)
{
	uint32_t fresh = node_new(a, p->key.bytes, p->bits, verdict);
	uint32_t top = fresh;

	if (same < p->bits) {
		top = node_new(a, p->key.bytes, same, ACL_NONE);
		a->nodes[top].child[bit(p->key.bytes, same)] = fresh;
	}
	a->nodes[top].child[bit(a->nodes[below].bytes, same)] = below;
	set_link(a, p->key.kind, owner, side, top);
}

void acl_add(struct acl *a, const struct acl_prefix *p, enum acl_verdict verdict)
{
	uint32_t owner = 0, at = a->root[p->key.kind];
	unsigned side = 0;

	a->rules++;
	while (at) {
		struct node *n = &a->nodes[at];
		unsigned least = n->bits < p->bits ? n->bits : p->bits;
		unsigned same = common(n->bytes, p->key.bytes, least);

		if (same < n->bits) {
			split(a, p, verdict, owner, side, at, same);
			return;
		}
		if (n->bits == p->bits) {
			if (n->verdict != ACL_DENY)
				n->verdict = (uint8_t)verdict;
			return;
		}
		owner = at;
		side = bit(p->key.bytes, n->bits);
		at = n->child[side];
	}
	set_link(a, p->key.kind, owner, side, node_new(a, p->key.bytes, p->bits, verdict));
}

enum acl_verdict acl_match(const struct acl *a, const struct acl_key *k, struct acl_prefix *rule)
{
	const struct node *best = NULL;
	unsigned width = width_of(k->kind);

	for (uint32_t at = a->root[k->kind]; at;) {
		const struct node *n = &a->nodes[at];

		if (common(n->bytes, k->bytes, n->bits) < n->bits)
			break;
		if (n->verdict != ACL_NONE)
			best = n;
		if (n->bits == width)
			break;
		at = n->child[bit(k->bytes, n->bits)];
	}
	if (!best)
		return ACL_NONE;
	if (rule) {
		rule->key.kind = k->kind;
		rule->bits = best->bits;
		memcpy(rule->key.bytes, best->bytes, sizeof rule->key.bytes);
	}
	return (enum acl_verdict)best->verdict;
}

bool acl_key_of(const struct addr *a, struct acl_key *out)
{
	struct addr plain = *a;

	*out = (struct acl_key){ 0 };
	if (a->kind == ADDR_VSOCK && a->len) {
		*out = acl_key_of_id(ACL_CID, a->vm.svm_cid);
		return true;
	}
	if (!addr_is_ip(a) || !a->len)
		return false;
	addr_unmap(&plain);
	if (plain.sa.sa_family == AF_INET) {
		memcpy(out->bytes, &plain.in.sin_addr, 4);
	} else {
		memcpy(out->bytes, &plain.in6.sin6_addr, 16);
		out->kind = ACL_IPV6;
	}
	return true;
}

struct acl_key acl_key_of_id(enum acl_kind kind, uint32_t id)
{
	struct acl_key k = { .kind = (uint8_t)kind };

	id = htonl(id);
	memcpy(k.bytes, &id, sizeof id);
	return k;
}

/* Decimal digits only; false if there is anything else, or more than `most`. */
static bool parse_number(const char *text, uint32_t most, uint32_t *out)
{
	uint64_t value = 0;

	if (!*text || strlen(text) > 10)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (unsigned)(*text - '0');
	}
	*out = (uint32_t)value;
	return value <= most;
}

/* ::ffff:10.0.0.0/104 is 10.0.0.0/8. */
static void unmap(struct acl_prefix *p)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (p->key.kind != ACL_IPV6 || p->bits < 96 ||
		memcmp(p->key.bytes, mapped, sizeof mapped) != 0)
		return;
	memmove(p->key.bytes, p->key.bytes + 12, 4);
	memset(p->key.bytes + 4, 0, 12);
	p->key.kind = ACL_IPV4;
	p->bits = (uint8_t)(p->bits - 96);
}

static const char *parse_id(const char *text, struct acl_prefix *out)
{
	uint32_t id;

	if (!parse_number(text + 4, UINT32_MAX, &id))
		return "has no number behind the colon";
	out->key = acl_key_of_id(text[0] == 'u' ? ACL_UID : ACL_GID, id);
	out->bits = 32;
	return NULL;
}

static const char *parse_length(const char *slash, struct acl_prefix *out)
{
	struct acl_key cut = out->key;
	uint32_t bits = out->bits;

	if (slash && !parse_number(slash + 1, bits, &bits))
		return out->bits == 128 ? "has a length outside 0..128 behind the slash"
					: "has a length outside 0..32 behind the slash";
	out->bits = (uint8_t)bits;
	clear_behind(cut.bytes, bits);
	return acl_same(&cut, &out->key) ? NULL : "has bits behind its prefix";
}

const char *acl_parse(const char *text, struct acl_prefix *out)
{
	const char *slash = strchr(text, '/'), *wrong;
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char host[INET6_ADDRSTRLEN];

	*out = (struct acl_prefix){ 0 };
	if (strncmp(text, "uid:", 4) == 0 || strncmp(text, "gid:", 4) == 0)
		return parse_id(text, out);
	if (len >= sizeof host)
		return "is no address";
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, out->key.bytes) == 1) {
		out->bits = 32;
	} else if (inet_pton(AF_INET6, host, out->key.bytes) == 1) {
		out->key.kind = ACL_IPV6;
		out->bits = 128;
	} else {
		return "is no address, and no prefix such as 10.0.0.0/8";
	}
	wrong = parse_length(slash, out);
	unmap(out);
	return wrong;
}

char *acl_format(const struct acl_prefix *p, char out[ACL_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN];
	uint32_t id;

	if (p->key.kind >= ACL_UID) {
		static const char *const names[ACL_KINDS] = {
			[ACL_UID] = "uid", [ACL_GID] = "gid", [ACL_CID] = "vsock"
		};

		memcpy(&id, p->key.bytes, sizeof id);
		if (!p->bits)
			return strcpy(out, "all");
		snprintf(out, ACL_TEXT_MAX, "%s:%u", names[p->key.kind], ntohl(id));
		return out;
	}
	inet_ntop(p->key.kind == ACL_IPV6 ? AF_INET6 : AF_INET, p->key.bytes, host, sizeof host);
	snprintf(out, ACL_TEXT_MAX, "%s/%u", host, p->bits);
	return out;
}

struct acl_prefix acl_source(const struct acl_key *k, uint8_t bits_v4, uint8_t bits_v6)
{
	struct acl_prefix p = { .key = *k };

	p.bits = k->kind == ACL_IPV4 ? bits_v4 : k->kind == ACL_IPV6 ? bits_v6 : 32;
	clear_behind(p.key.bytes, p.bits);
	return p;
}

bool acl_same(const struct acl_key *a, const struct acl_key *b)
{
	return a->kind == b->kind && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}
