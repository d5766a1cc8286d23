#include "daemon/os/accounts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRY_START 1024
#define ENTRY_MAX (1 << 20) /* an entry beyond this is a broken NSS module */

/* The C library says "not found" in many ways. */
static int not_found_or(int error)
{
	switch (error) {
	case 0:
	case ESRCH:
	case EBADF:
	case EPERM:
		return ENOENT;
	default:
		return error;
	}
}

/* A number that can be an id; the highest means "leave it" to the system calls. */
static bool as_id(const char *name, uint32_t *id)
{
	char *end;
	unsigned long long n;

	if (!*name || strspn(name, "0123456789") != strlen(name))
		return false;
	errno = 0;
	n = strtoull(name, &end, 10);
	if (errno || n >= UINT32_MAX)
		return false;
	*id = (uint32_t)n;
	return true;
}

/* By name first, as chown(1) does: a name may be all digits.  The entry's strings are in *buf,
 * which the caller frees.  0, or -1 with errno. */
static int find_user(const char *name, struct passwd *entry, char **buf)
{
	struct passwd *found;
	size_t cap = ENTRY_START;
	uint32_t id;
	int error;

	*buf = NULL;
	do {
		free(*buf);
		*buf = mem_new(cap);
		error = getpwnam_r(name, entry, *buf, cap, &found);
		if (!found && error != ERANGE && as_id(name, &id))
			error = getpwuid_r(id, entry, *buf, cap, &found);
		cap *= 2;
	} while (error == ERANGE && cap <= ENTRY_MAX);
	if (found)
		return 0;
	errno = not_found_or(error);
	return -1;
}

int accounts_user(const char *name, struct arena *arena, struct identity *out)
{
	struct passwd entry;
	char *buf;
	uint32_t id;
	int error;

	*out = (struct identity){ .set = true };
	if (find_user(name, &entry, &buf) == 0) {
		out->uid = entry.pw_uid;
		out->gid = entry.pw_gid;
		out->user = arena_dup(arena, entry.pw_name);
		out->home = arena_dup(arena, entry.pw_dir ? entry.pw_dir : "");
		out->shell = arena_dup(arena, entry.pw_shell ? entry.pw_shell : "");
		free(buf);
		return 0;
	}
	error = errno;
	free(buf);
	if (error != ENOENT || !as_id(name, &id)) {
		errno = error;
		return -1;
	}
	/* A number without an account: the group of the same number, and no other. */
	out->uid = id;
	out->gid = id;
	out->user = arena_dup(arena, name);
	out->home = "";
	out->shell = "";
	return 0;
}

static void list_groups(const struct passwd *entry, struct arena *arena, struct identity *out)
{
	int count = 32, room;
	gid_t *list = NULL;

	do {
		room = count;
		free(list);
		list = mem_array((size_t)room, sizeof *list);
	} while (getgrouplist(entry->pw_name, entry->pw_gid, list, &count) < 0 && count > room);
	out->groups_count = (size_t)count;
	out->groups = memcpy(arena_new(arena, out->groups_count * sizeof *list), list,
		out->groups_count * sizeof *list);
	free(list);
}

void accounts_groups(struct identity *of, struct arena *arena)
{
	struct passwd entry;
	char *buf;

	if (find_user(of->user, &entry, &buf) == 0)
		list_groups(&entry, arena, of);
	free(buf);
}

int accounts_group(const char *name, gid_t *out)
{
	struct group entry, *found;
	char *buf = NULL;
	size_t cap = ENTRY_START;
	uint32_t id;
	int error;

	do {
		free(buf);
		buf = mem_new(cap);
		error = getgrnam_r(name, &entry, buf, cap, &found);
		cap *= 2;
	} while (error == ERANGE && cap <= ENTRY_MAX);
	if (found)
		*out = entry.gr_gid;
	free(buf);
	if (found)
		return 0;
	if (as_id(name, &id)) {
		*out = id;
		return 0;
	}
	errno = not_found_or(error);
	return -1;
}

void accounts_own(struct identity *out)
{
	int n = getgroups(0, NULL);
	gid_t *groups = mem_array(n > 0 ? (size_t)n : 0, sizeof *groups);

	n = getgroups(n, groups);
	*out = (struct identity){ .uid = geteuid(),
		.gid = getegid(),
		.groups = groups,
		.groups_count = n > 0 ? (size_t)n : 0 };
}
