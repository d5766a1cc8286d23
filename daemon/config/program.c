#include "daemon/config/program.h"

#include "daemon/base/mem.h"
#include "daemon/os/executable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct known_program {
	char *question;   /* owned; the hash key: chroot, a newline, name */
	const char *path; /* in the config's arena; NULL: there is none */
	char *why;        /* owned */
	UT_hash_handle hh;
};

/* Tries one path.  True: it is the answer. */
static bool try_path(
	struct loader *l, struct known_program *p, const char *path, const char *chroot)
{
	char why[512];
	bool there;
	const char *wrong = executable_wrong(chroot, path, &there, why, sizeof why);

	if (!wrong) {
		p->path = loader_text(l, path);
		return true;
	}
	/* The first that is there but unfit is worth more than all the places without. */
	if (there && !p->why)
		p->why = mem_print("'%s' %s", path, wrong);
	return false;
}

static bool try_folder(struct loader *l, struct known_program *p, const char *folder, size_t n,
	const char *name, const char *chroot)
{
	char *path;
	bool found;

	/* A relative folder in PATH depends on where superd was started: not for a server. */
	if (n == 0 || folder[0] != '/')
		return false;
	path = mem_print("%.*s/%s", (int)(n > 1 ? n : 0), folder, name);
	found = try_path(l, p, path, chroot);
	free(path);
	return found;
}

static void search(struct loader *l, struct known_program *p, const char *name, const char *chroot)
{
	const struct strings *folders = &l->top.handler_path;
	const char *path = getenv("PATH");

	for (size_t i = 0; i < folders->count; i++) {
		const char *folder = folders->items[i];

		if (try_folder(l, p, folder, strlen(folder), name, chroot))
			return;
	}
	for (size_t n; path && *path; path += n + (path[n] == ':')) {
		n = strcspn(path, ":");
		if (try_folder(l, p, path, n, name, chroot))
			return;
	}
	if (!p->why)
		p->why = mem_print("there is no program '%s' in handler_path or PATH%s%s", name,
			chroot ? ", inside " : "", chroot ? chroot : "");
}

static void answer(struct loader *l, struct known_program *p, const char *name, const char *chroot)
{
	if (!strchr(name, '/'))
		search(l, p, name, chroot);
	else if (!try_path(l, p, name, chroot) && !p->why)
		p->why = mem_print("'%s' does not exist%s%s", name, chroot ? " inside " : "",
			chroot ? chroot : "");
}

const char *program_find(struct loader *l, const char *name, const char *chroot, const char **why)
{
	char *question = mem_print("%s\n%s", chroot ? chroot : "", name);
	struct known_program *p;

	HASH_FIND_STR(l->programs, question, p);
	if (p) {
		free(question);
	} else {
		p = mem_new(sizeof *p);
		p->question = question;
		answer(l, p, name, chroot);
		HASH_ADD_KEYPTR(hh, l->programs, p->question, strlen(p->question), p);
	}
	*why = p->why;
	return p->path;
}

void program_forget(struct loader *l)
{
	struct known_program *p = l->programs, *next;

	HASH_CLEAR(hh, l->programs);
	for (; p; p = next) {
		next = p->hh.next;
		free(p->question);
		free(p->why);
		free(p);
	}
}
