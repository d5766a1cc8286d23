#include "daemon/config/identity.h"

#include "daemon/base/mem.h"
#include "daemon/config/build.h"
#include "daemon/os/accounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

struct known_account {
	const char *name; /* in the config's arena; the hash key */
	int error;        /* 0, or the errno of the lookup */
	struct identity user;
	bool has_groups; /* the user's have been looked up */
	gid_t group;
	UT_hash_handle hh;
};

static struct known_account *known(
	struct loader *l, struct known_account **table, const char *name, bool user)
{
	struct known_account *a;

	HASH_FIND_STR(*table, name, a);
	if (a)
		return a;
	a = mem_new(sizeof *a);
	a->name = name;
	if (user && accounts_user(name, &l->config->arena, &a->user) < 0)
		a->error = errno;
	if (!user && accounts_group(name, &a->group) < 0)
		a->error = errno;
	HASH_ADD_KEYPTR(hh, *table, a->name, strlen(a->name), a);
	return a;
}

static const char *why_unknown(const struct known_account *a, bool user, char why[160])
{
	const char *what = user ? "user" : "group";

	if (a->error == ENOENT)
		snprintf(why, 160, "there is no %s '%s'", what, a->name);
	else
		snprintf(why, 160, "the %s '%s' cannot be looked up: %s", what, a->name,
			strerror(a->error));
	return why;
}

/* The account, or NULL with a complaint; a disabled service may name one that is not there. */
static struct known_account *find(
	struct loader *l, const struct draft *d, const char *key, const char *name, bool user)
{
	struct known_account *a = known(l, user ? &l->users : &l->groups, name, user);
	char why[160];

	if (!a->error)
		return a;
	if (d->s.enabled)
		draft_complain(l, d, key, "%s", why_unknown(a, user, why));
	return NULL;
}

const char *identity_number(
	struct loader *l, const char *name, bool user, uint32_t *out, char why[160])
{
	struct known_account *a =
		known(l, user ? &l->users : &l->groups, loader_text(l, name), user);

	if (a->error)
		return why_unknown(a, user, why);
	*out = user ? a->user.uid : a->group;
	return NULL;
}

/* Only root can give a handler groups, and those that are listed stand in place of the user's. */
static void find_groups(struct loader *l, const struct draft *d, struct known_account *a)
{
	if (a->has_groups || geteuid() != 0 || draft_has(d, "groups"))
		return;
	accounts_groups(&a->user, &l->config->arena);
	a->has_groups = true;
}

static void set_user(struct loader *l, struct draft *d)
{
	struct known_account *a;

	if (!d->user) {
		if (geteuid() == 0 && !draft_has(d, "trap"))
			draft_complain(l, d, "user",
				"is missing, and superd runs as root; name a user, %s",
				l->config->path ? "or say \"user\": \"root\""
						: "as in -o user=nobody, or say -o user=root");
		return;
	}
	a = find(l, d, "user", d->user, true);
	if (!a)
		return;
	find_groups(l, d, a);
	d->s.identity = a->user;
	if (d->s.enabled && geteuid() != 0 && a->user.uid != geteuid())
		draft_complain(l, d, "user", "only root can run handlers as '%s'", d->user);
}

/* As initgroups(3) with another group: it stands in place of the account's own one. */
static const gid_t *replace(
	struct loader *l, const gid_t *groups, size_t count, gid_t own, gid_t instead)
{
	gid_t *list = arena_new(&l->config->arena, count * sizeof *list);

	for (size_t i = 0; i < count; i++)
		list[i] = groups[i] == own ? instead : groups[i];
	return list;
}

static void set_group(struct loader *l, struct draft *d)
{
	const struct known_account *a = d->group ? find(l, d, "group", d->group, false) : NULL;

	if (!a)
		return;
	d->s.identity.groups = replace(
		l, d->s.identity.groups, d->s.identity.groups_count, d->s.identity.gid, a->group);
	d->s.identity.gid = a->group;
	if (d->s.enabled && geteuid() != 0 && a->group != getegid())
		draft_complain(
			l, d, "group", "only root can run handlers with the group '%s'", d->group);
}

static void set_groups(struct loader *l, struct draft *d)
{
	gid_t *list;
	size_t n = 0;

	if (!draft_has(d, "groups"))
		return;
	list = arena_new(&l->config->arena, d->groups.count * sizeof *list);
	for (size_t i = 0; i < d->groups.count; i++) {
		const struct known_account *a = find(l, d, "groups", d->groups.items[i], false);

		if (a)
			list[n++] = a->group;
	}
	d->s.identity.groups = list;
	d->s.identity.groups_count = n;
	if (d->s.enabled && geteuid() != 0 && n == d->groups.count)
		draft_complain(l, d, "groups", "only root can set the groups of handlers");
}

static void set_owner(struct loader *l, struct draft *d)
{
	const struct known_account *a;

	d->s.socket.uid = (uid_t)-1;
	d->s.socket.gid = (gid_t)-1;
	a = d->socket_user ? find(l, d, "socket_user", d->socket_user, true) : NULL;
	if (a)
		d->s.socket.uid = a->user.uid;
	a = d->socket_group ? find(l, d, "socket_group", d->socket_group, false) : NULL;
	if (a)
		d->s.socket.gid = a->group;
	d->s.socket.owner_set = d->socket_user || d->socket_group;
	if (d->s.enabled && d->s.socket.uid != (uid_t)-1 && geteuid() != 0 &&
		d->s.socket.uid != geteuid())
		draft_complain(
			l, d, "socket_user", "only root can give a socket to '%s'", d->socket_user);
}

void identity_build(struct loader *l, struct draft *d)
{
	set_user(l, d);
	set_group(l, d);
	set_groups(l, d);
	/* Without root there is one identity, superd's own, and it is there already. */
	d->s.identity.set = d->user && geteuid() == 0;
	set_owner(l, d);
}

static void forget(struct known_account **table)
{
	struct known_account *a = *table, *next;

	HASH_CLEAR(hh, *table);
	for (; a; a = next) {
		next = a->hh.next;
		free(a);
	}
}

void identity_forget(struct loader *l)
{
	forget(&l->users);
	forget(&l->groups);
}
