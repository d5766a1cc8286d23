#include "daemon/config/access.h"

#include "daemon/base/mem.h"
#include "daemon/config/build.h"
#include "daemon/config/peers.h"

#include <stdlib.h>
#include <string.h>

/* A list in the making: what it is made from says whether there is one like it already. */
struct part {
	const struct peer_file *file; /* all that is in there; NULL: the prefix */
	struct acl_prefix prefix;
	uint8_t verdict;
};

struct recipe {
	struct part *parts; /* owned */
	size_t count, cap;
};

struct known_acl {
	struct recipe recipe; /* its bytes are the hash key */
	const struct acl *acl;
	UT_hash_handle hh;
};

static void add_part(struct recipe *r, const struct peer_file *file,
	const struct acl_prefix *prefix, enum acl_verdict verdict)
{
	struct part *p;

	r->parts = mem_reserve(r->parts, &r->cap, r->count + 1, sizeof *r->parts);
	p = &r->parts[r->count++];
	memset(p, 0, sizeof *p); /* the gaps, too */
	p->file = file;
	if (prefix)
		p->prefix = *prefix;
	p->verdict = (uint8_t)verdict;
}

static struct acl *cook(const struct recipe *r)
{
	struct acl *a = acl_new();

	for (size_t i = 0; i < r->count; i++) {
		const struct part *p = &r->parts[i];

		if (!p->file)
			acl_add(a, &p->prefix, (enum acl_verdict)p->verdict);
		for (size_t j = 0; p->file && j < p->file->count; j++)
			acl_add(a, &p->file->list[j], (enum acl_verdict)p->verdict);
	}
	return a;
}

/* Takes the recipe. */
static const struct acl *get_acl(struct loader *l, struct recipe *r)
{
	struct config *c = l->config;
	struct known_acl *known;
	struct acl *acl;

	HASH_FIND(hh, l->acls, r->parts, r->count * sizeof *r->parts, known);
	if (known) {
		free(r->parts);
		return known->acl;
	}
	acl = cook(r);
	c->acls = mem_reserve(c->acls, &c->acls_cap, c->acls_count + 1, sizeof(struct acl *));
	c->acls[c->acls_count++] = acl;
	known = mem_new(sizeof *known);
	known->recipe = *r;
	known->acl = acl;
	HASH_ADD_KEYPTR(hh, l->acls, known->recipe.parts, r->count * sizeof *r->parts, known);
	return acl;
}

/* ---- what a service makes of its lists ---- */

struct serving {
	struct loader *loader;
	const struct draft *draft;
	bool ip, unix_socket; /* it has addresses of that kind */
};

/* Names the service where the place does not: `defaults` may be wrong for one of many. */
static void complain_useless(
	const struct serving *s, const char *key, const struct peer *p, bool id)
{
	const char *service = s->draft->name.owner;
	const char *who = p->place.owner == service ? "the service" : service;

	if (id)
		loader_complain(s->loader, &p->place, key,
			"'%s' is for unix sockets, and %s has none", p->text, who);
	else
		loader_complain(s->loader, &p->place, key,
			"'%s' is for IP addresses, and %s has none", p->text, who);
}

/* A file that many services use may hold rules for all of them. */
static void add_file(const struct serving *s, const char *key, const struct peer *p,
	enum acl_verdict verdict, struct recipe *r)
{
	const struct peer_file *f = peer_file_get(s->loader, p->text);

	if (f->wrong) {
		loader_complain(s->loader, &p->place, key, "'%s': %s", p->text, f->wrong);
		return;
	}
	if (f->has_id && !f->has_ip && !s->unix_socket)
		complain_useless(s, key, p, true);
	else if (f->has_ip && !f->has_id && !s->ip)
		complain_useless(s, key, p, false);
	add_part(r, f, NULL, verdict);
}

/* True if it can decide about somebody who connects to this service. */
static bool is_useful(const struct serving *s, const char *key, const struct peer *p)
{
	if (p->form == PEER_ID && !s->unix_socket)
		complain_useless(s, key, p, true);
	else if (p->form == PEER_IP && !s->ip)
		complain_useless(s, key, p, false);
	else
		return true;
	return false;
}

static void add_peer(const struct serving *s, const char *key, const struct peer *written,
	enum acl_verdict verdict, struct recipe *r)
{
	struct peer p = *written;
	const char *wrong;
	char why[160];

	if (!is_useful(s, key, &p) || !s->draft->s.enabled)
		return;
	wrong = peer_resolve(s->loader, &p, why);
	if (wrong)
		loader_complain(s->loader, &p.place, key, "%s", wrong);
	for (size_t i = 0; i < p.count; i++)
		add_part(r, NULL, &p.prefixes[i], verdict);
}

static void add_list(const struct serving *s, const char *key, const struct peers *list,
	enum acl_verdict verdict, struct recipe *r)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct peer *p = &list->items[i];

		if (p->form != PEER_FILE)
			add_peer(s, key, p, verdict, r);
		else if (s->draft->s.enabled)
			add_file(s, key, p, verdict, r);
	}
}

static void build_proxies(const struct serving *s, struct draft *d)
{
	struct recipe r = { 0 };

	add_list(s, "from", &d->proxies, ACL_ALLOW, &r);
	if (!r.count)
		return; /* disabled, or it was complained about */
	d->s.proxies = get_acl(s->loader, &r);
	if (!acl_count(d->s.proxies)) /* a file may be empty */
		loader_complain(
			s->loader, &d->proxies.items[0].place, "from", "no prefix is in it");
}

void access_build(struct loader *l, struct draft *d)
{
	struct serving s = { l, d, !d->s.listen_count, !d->s.listen_count };
	struct recipe r = { 0 };

	for (size_t i = 0; i < d->s.listen_count; i++) {
		s.unix_socket = s.unix_socket || addr_is_unix(&d->s.listen[i]);
		s.ip = s.ip || addr_is_ip(&d->s.listen[i]);
		/* What it will be is not known. */
		s.unix_socket = s.unix_socket || d->s.listen[i].kind == ADDR_FD;
		s.ip = s.ip || d->s.listen[i].kind == ADDR_FD;
	}
	d->s.access.allow_only = draft_has(d, "allow");
	add_list(&s, "allow", &d->allow, ACL_ALLOW, &r);
	add_list(&s, "deny", &d->deny, ACL_DENY, &r);
	if (r.count)
		d->s.access.acl = get_acl(l, &r);
	d->s.proxied = draft_has(d, "proxy_protocol");
	if (d->s.proxied)
		build_proxies(&s, d);
}

void access_forget(struct loader *l)
{
	struct known_acl *known = l->acls, *next;

	HASH_CLEAR(hh, l->acls);
	for (; known; known = next) {
		next = known->hh.next;
		free(known->recipe.parts);
		free(known);
	}
}
