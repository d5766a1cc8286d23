#include "daemon/config/command.h"

#include "daemon/base/mem.h"
#include "daemon/config/build.h"
#include "daemon/config/program.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A whole command line in one string, as in inetd.conf, is the name of no program. */
static const char *words_hint(
	struct loader *l, const struct draft *d, const char *key, const char *name)
{
	char *first = mem_print("%.*s", (int)strcspn(name, " "), name), *hint;
	char *whole = strchr(first, '/') ? draft_inside(d, key, first) : mem_dup(first);
	const char *why, *text = "";

	if (strchr(name, ' ') && program_find(l, whole, d->s.chroot, &why)) {
		hint = mem_print("; arguments are elements of their own: [\"%s\", ...]", first);
		text = loader_text(l, hint);
		free(hint);
	}
	free(whole);
	free(first);
	return text;
}

static const char *resolve(
	struct loader *l, const struct draft *d, const char *key, const char *name)
{
	const char *why, *path;
	char *whole = strchr(name, '/') ? draft_inside(d, key, name) : mem_dup(name);

	path = program_find(l, whole, d->s.chroot, &why);
	if (!path) {
		if (d->s.enabled)
			draft_complain(l, d, key, "%s%s", why, words_hint(l, d, key, name));
		path = loader_text(l, whole);
	}
	free(whole);
	return path;
}

/* Services that run the same share the array: many are alike. */
static const char *const *share_argv(struct loader *l, struct list *argv)
{
	if (l->services_count) {
		const char *const *before = l->services[l->services_count - 1].argv;
		size_t i = 0;

		while (before && i < argv->count && before[i] == argv->items[i])
			i++;
		if (before && i == argv->count && !before[i]) {
			free(argv->items);
			return before;
		}
	}
	return list_done(argv, &l->config->arena).items;
}

static void check_trap(struct loader *l, const struct draft *d)
{
	static const char *const keys[] = { "exec", "shell", "argv0" };

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (draft_has(d, keys[i]))
			draft_complain(
				l, d, keys[i], "has no place beside trap, which runs nothing");
	}
	if (draft_has(d, "proxy_protocol"))
		draft_complain(l, d, "trap", "would ban the proxies of proxy_protocol");
}

/* True if there is one program, and one way to start it. */
static bool check_command(struct loader *l, const struct draft *d)
{
	bool shell = draft_has(d, "shell"), exec = draft_has(d, "exec");

	if (!shell && !exec)
		draft_complain(l, d, "exec", "is missing; a service has either exec or shell");
	else if (shell && exec)
		draft_complain(l, d, "shell", "a service has either exec or shell, not both");
	else if (shell ? !d->shell : !d->exec.count)
		return false; /* it was complained about */
	else if (exec && !*d->exec.items[0])
		draft_complain(l, d, "exec", "the program's name is empty");
	else
		return true;
	return false;
}

/* The program that reads the declaration stands in front, and starts the service's own. */
static void put_proxy(struct loader *l, struct draft *d, struct list *argv)
{
	char seconds[24];

	if (d->s.chroot)
		draft_complain(l, d, "proxy_protocol", "does not go together with chroot");
	if (draft_has(d, "argv0"))
		draft_complain(l, d, "argv0", "does not go together with proxy_protocol");
	if (d->proxy_timeout_ms % 1000)
		draft_complain(l, d, "proxy_protocol", "timeout: is not whole seconds");
	if (d->s.chroot)
		return;
	snprintf(seconds, sizeof seconds, "%" PRIu64, d->proxy_timeout_ms / 1000);
	list_add(argv, loader_text(l, "proxy"));
	list_add(argv, loader_text(l, "-T"));
	list_add(argv, loader_text(l, seconds));
	list_add(argv, d->s.program);
	d->s.program = resolve(l, d, "proxy_protocol", "proxy");
}

/* coreutils' stdbuf makes the C library of a program send what it prints at each end of a line. */
static const char *find_stdbuf(struct loader *l, const struct draft *d)
{
	if (draft_has(d, "argv0"))
		draft_complain(l, d, "argv0", "does not go together with stdio");
	return resolve(l, d, "stdio", "stdbuf");
}

void command_build(struct loader *l, struct draft *d)
{
	bool shell = draft_has(d, "shell"), line = d->stdio == STDIO_LINE;
	struct list argv = { 0 };
	const char *own;

	if (draft_has(d, "trap")) {
		check_trap(l, d);
		return;
	}
	if (!check_command(l, d))
		return;
	own = shell ? resolve(l, d, "shell", "/bin/sh") : resolve(l, d, "exec", d->exec.items[0]);
	d->s.program = line ? find_stdbuf(l, d) : own;
	if (draft_has(d, "proxy_protocol"))
		put_proxy(l, d, &argv);
	else
		list_add(&argv, d->argv0 ? d->argv0 : d->s.program);
	if (line) {
		list_add(&argv, loader_text(l, "-oL"));
		list_add(&argv, own);
	}
	if (shell) {
		list_add(&argv, loader_text(l, "-c"));
		list_add(&argv, d->shell);
	}
	for (size_t i = 1; !shell && i < d->exec.count; i++)
		list_add(&argv, d->exec.items[i]);
	d->s.argv = share_argv(l, &argv);
}
