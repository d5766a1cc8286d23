#include "daemon/config/environ.h"

#include "daemon/base/mem.h"
#include "daemon/config/build.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static bool is_set(const struct list *env, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < env->count; i++) {
		if (strncmp(env->items[i], name, n) == 0 && env->items[i][n] == '=')
			return true;
	}
	return false;
}

static void set(struct loader *l, struct list *env, const char *name, const char *value)
{
	char *pair;

	if (is_set(env, name))
		return;
	pair = mem_print("%s=%s", name, value);
	list_add(env, loader_text(l, pair));
	free(pair);
}

static void pass(struct loader *l, struct draft *d, struct list *env, const char *name)
{
	const char *value = getenv(name);

	if (value && strchr(value, '\n') && d->s.enabled)
		draft_complain(l, d, "pass_env", "the value of '%s' holds a newline", name);
	else if (value)
		set(l, env, name, value);
}

static void set_identity(struct loader *l, struct list *env, const struct identity *id)
{
	if (!id->user)
		return;
	set(l, env, "USER", id->user);
	set(l, env, "LOGNAME", id->user);
	if (*id->home)
		set(l, env, "HOME", id->home);
	if (*id->shell)
		set(l, env, "SHELL", id->shell);
}

void environ_build(struct loader *l, struct draft *d)
{
	static const char service[] = "SUPERD_SERVICE=";
	struct list env = { 0 };
	char *own;

	/* The name is kept once: it is the end of its own variable. */
	own = arena_print(&l->config->arena, "%s%s", service, d->s.name);
	d->s.name = own + sizeof service - 1;
	list_add(&env, own);
	for (size_t i = 0; i < d->env.count; i++)
		list_add(&env, d->env.items[i]);
	for (size_t i = 0; i < d->pass_env.count; i++)
		pass(l, d, &env, d->pass_env.items[i]);
	if (d->stdio == STDIO_LINE) /* Python has buffers of its own */
		set(l, &env, "PYTHONUNBUFFERED", "1");
	set(l, &env, "PATH", DEFAULT_PATH);
	set_identity(l, &env, &d->s.identity);
	d->s.env_count = env.count;
	d->s.env = list_done(&env, &l->config->arena).items;
}
