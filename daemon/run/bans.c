#include "daemon/run/bans.h"

#include "daemon/base/clock.h"
#include "daemon/run/poll.h"

#include <stdlib.h>
#include <string.h>

#define BANS_MAX 65536

/* Whoever has a /48 has 65,536 sources of the usual length, and could fill the list.  Beyond this
 * many no more are banned of it: they have others to go on with anyway, and what refused them
 * refuses the next. */
#define NET_BITS 48
#define NET_MAX 1024

struct net {
	UT_hash_handle hh;
	struct acl_prefix who; /* the key */
	uint32_t bans;
};

struct ban {
	UT_hash_handle hh;
	struct acl_prefix who; /* the key */
	struct daemon *daemon;
	struct net *net;   /* NULL: it is none of IPv6, or as large as one */
	struct event *end; /* owned */
	uint64_t end_ms;
};

/* Prefixes are of few lengths, so a look-up tries each length that is in use. */
struct bans {
	struct ban *table;
	struct net *nets;
	uint32_t of_length[ACL_KINDS][129];
	struct pace full_pace;
};

static void tell(const char *verb, const struct ban *b, const char *why, uint64_t for_ms)
{
	char text[ACL_TEXT_MAX];
	struct log_line l;

	log_begin(&l, LOG_NOTICE, verb);
	log_str(&l, "source", acl_format(&b->who, text));
	log_str(&l, "service", why);
	if (for_ms)
		log_num(&l, "for_ms", (int64_t)for_ms);
	log_end(&l);
}

static bool is_in_net(const struct acl_prefix *who)
{
	return who->key.kind == ACL_IPV6 && who->bits > NET_BITS;
}

static struct net *find_net(const struct bans *bans, const struct acl_prefix *who)
{
	struct acl_prefix p = acl_source(&who->key, 0, NET_BITS);
	struct net *n = NULL;

	if (is_in_net(who))
		HASH_FIND(hh, bans->nets, &p, sizeof p, n);
	return n;
}

static struct net *enter_net(struct bans *bans, const struct acl_prefix *who)
{
	struct net *n = find_net(bans, who);

	if (!is_in_net(who))
		return NULL;
	if (!n) {
		n = mem_new(sizeof *n);
		n->who = acl_source(&who->key, 0, NET_BITS);
		HASH_ADD(hh, bans->nets, who, sizeof n->who, n);
	}
	n->bans++;
	return n;
}

static void leave_net(struct bans *bans, struct net *n)
{
	if (!n || --n->bans)
		return;
	HASH_DEL(bans->nets, n);
	free(n);
}

static void ban_free(struct ban *b)
{
	struct bans *bans = b->daemon->bans;

	leave_net(bans, b->net);
	bans->of_length[b->who.key.kind][b->who.bits]--;
	HASH_DEL(bans->table, b);
	poll_forget(&b->end);
	free(b);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct ban *b = arg;

	(void)fd;
	(void)what;
	tell("unban", b, NULL, 0);
	ban_free(b);
}

static struct ban *find(const struct bans *bans, const struct acl_prefix *who)
{
	struct ban *b;

	HASH_FIND(hh, bans->table, who, sizeof *who, b);
	return b;
}

static void set_end(struct ban *b, uint64_t for_ms)
{
	b->end_ms = clock_ms() + for_ms;
	poll_after(&b->end, b->daemon->base, for_ms, on_end, b);
}

/* Is there no room for one more?  NULL: it does not matter in which net. */
static bool is_full(struct bans *bans, const struct net *n)
{
	bool full = HASH_COUNT(bans->table) >= BANS_MAX;
	char text[ACL_TEXT_MAX];
	uint32_t silent;

	if (!full && !(n && n->bans >= NET_MAX))
		return false;
	if (!pace_take(&bans->full_pace, clock_ms(), &silent))
		return true;
	if (full)
		log_say(LOG_ERROR, "error", "the list of bans is full (%d)", BANS_MAX);
	else
		log_say(LOG_ERROR, "error", "too many are banned of %s (%d)",
			acl_format(&n->who, text), NET_MAX);
	return true;
}

static struct ban *insert(struct daemon *d, const struct acl_prefix *who, uint64_t for_ms)
{
	struct ban *b = mem_new(sizeof *b);

	b->who = *who;
	b->daemon = d;
	b->net = enter_net(d->bans, who);
	set_end(b, for_ms);
	HASH_ADD(hh, d->bans->table, who, sizeof b->who, b);
	d->bans->of_length[who->key.kind][who->bits]++;
	return b;
}

void bans_restore(struct daemon *d, const struct acl_prefix *who, uint64_t left_ms)
{
	if (!d->bans)
		d->bans = mem_new(sizeof *d->bans);
	insert(d, who, left_ms);
}

bool bans_add(struct daemon *d, const struct acl_prefix *who, uint64_t for_ms, const char *why)
{
	struct ban *b;

	if (!d->bans)
		d->bans = mem_new(sizeof *d->bans);
	b = find(d->bans, who);
	if (b) {
		if (clock_ms() + for_ms > b->end_ms)
			set_end(b, for_ms);
		return true;
	}
	if (is_full(d->bans, why ? find_net(d->bans, who) : NULL))
		return false;
	tell("ban", insert(d, who, for_ms), why, for_ms);
	return true;
}

bool bans_match(const struct daemon *d, const struct acl_key *key, struct acl_prefix *rule)
{
	unsigned most = key->kind == ACL_IPV6 ? 128 : 32;

	if (!d->bans || !d->bans->table)
		return false;
	for (unsigned bits = 0; bits <= most; bits++) {
		struct acl_prefix p;

		if (!d->bans->of_length[key->kind][bits])
			continue;
		p = acl_source(key, (uint8_t)bits, (uint8_t)bits);
		if (find(d->bans, &p)) {
			*rule = p;
			return true;
		}
	}
	return false;
}

static uint64_t left_ms(const struct ban *b)
{
	uint64_t now_ms = clock_ms();

	return b->end_ms > now_ms ? b->end_ms - now_ms : 1;
}

bool bans_end(struct daemon *d, const struct acl_prefix *who)
{
	struct ban *b = d->bans ? find(d->bans, who) : NULL;

	if (!b)
		return false;
	on_end(-1, 0, b);
	return true;
}

uint64_t bans_left_ms(const struct daemon *d, const struct acl_prefix *who)
{
	const struct ban *b = d->bans ? find(d->bans, who) : NULL;

	return b ? left_ms(b) : 0;
}

void bans_each(const struct daemon *d,
	void (*each)(const struct acl_prefix *who, uint64_t left_ms, void *context), void *context)
{
	const struct ban *b;

	if (!d->bans)
		return;
	for (b = d->bans->table; b; b = b->hh.next)
		each(&b->who, left_ms(b), context);
}

void bans_free(struct daemon *d)
{
	struct ban *b, *next;

	if (!d->bans)
		return;
	HASH_ITER (hh, d->bans->table, b, next)
		ban_free(b);
	free(d->bans);
	d->bans = NULL;
}
