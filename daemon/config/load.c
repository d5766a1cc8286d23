#include "daemon/config/load.h"

#include "daemon/base/mem.h"
#include "daemon/config/identity.h"
#include "daemon/config/reading.h"
#include "daemon/config/services.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* ---- the whole ---- */

static void loader_init(struct loader *l, const char *path, struct complaints *complaints)
{
	*l = (struct loader){ .config = config_new(), .complaints = complaints };
	l->complaints_before = complaints->count;
	l->builtin = file_nameless("superd");
	if (path)
		l->config->path = arena_dup(&l->config->arena, path);
	presets_read(l, schema_top, &l->top);
}

/* A unix socket's path has a place of fixed size in its address. */
static void check_path(struct loader *l, const char *key, const char *path)
{
	struct sockaddr_un room;

	if (path && strlen(path) >= sizeof room.sun_path)
		complain(l->complaints, l->config->path ? l->config->path : "-o", 0, 0,
			"%s: '%s' is longer than %zu bytes", key, path, sizeof room.sun_path - 1);
}

static void check_top(struct loader *l)
{
	struct config *c = l->config;
	char why[160];
	const char *wrong = NULL;

	check_path(l, "control", l->top.control);
	check_path(l, "observe", l->top.observe);
	c->observe_gid = (gid_t)-1;
	if (l->top.observe_group)
		wrong = identity_number(l, l->top.observe_group, false, &c->observe_gid, why);
	if (wrong)
		complain(l->complaints, c->path, 0, 0, "observe_group: %s", wrong);
}

static void take_control(struct loader *l)
{
	l->config->control = l->top.control;
	l->config->observe = l->top.observe;
	l->config->observe_mode = l->top.observe_mode;
}

static void take_top(struct loader *l)
{
	static const enum log_target targets[] = { LOG_STDERR, LOG_SYSLOG, LOG_JOURNAL };
	struct config *c = l->config;
	struct list folders = { 0 };

	for (size_t i = 0; i < l->top.handler_path.count; i++)
		list_add(&folders, l->top.handler_path.items[i]);
	c->handler_path = list_done(&folders, &c->arena).items;
	c->log = l->top.log;
	c->log.target = l->top.log_target.path ? LOG_FILE : targets[l->top.log_target.word];
	c->log.path = l->top.log_target.path;
	c->log_bytes = l->top.log_bytes;
	c->max_connections = l->top.max_connections;
	c->stop_timeout_ms = l->top.stop_timeout_ms;
	take_control(l);
}

static void take_services(struct loader *l)
{
	struct config *c = l->config;
	size_t bytes = l->services_count * sizeof *l->services;
	struct service *list = arena_new(&c->arena, bytes);

	memcpy(list, l->services, bytes);
	c->services = list;
	c->services_count = l->services_count;
}

static bool any_enabled(const struct loader *l)
{
	for (size_t i = 0; i < l->services_count; i++) {
		if (l->services[i].enabled)
			return true;
	}
	return false;
}

/* The last checks, then all or nothing. */
static struct config *complete(struct loader *l)
{
	struct config *c = NULL;

	services_clashes(l);
	check_top(l);
	if (!loader_failed(l) && !any_enabled(l))
		complain(l->complaints, l->config->path ? l->config->path : "-o", 0, 0,
			"there is nothing to serve: %s",
			l->services_count ? "no service is enabled" : "there is no service");
	if (!loader_failed(l)) {
		take_top(l);
		take_services(l);
		c = l->config;
		l->config = NULL;
	}
	loader_fini(l);
	/* What parsing took is given back: the cost of a fork is that of the memory one has (H23).
	 */
	malloc_trim(0);
	return c;
}

/* ---- -o KEY=VALUE ---- */

/* JSON if it is JSON, else a string; where only a string can be meant, 077 and true are strings. */
static json_t *option_value(const struct key *k, const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	bool wants_string =
		k && (k->type == KEY_TEXT || k->type == KEY_PATH || k->type == KEY_OCTAL);

	if (value && (!wants_string || json_is_string(value)))
		return value;
	json_decref(value);
	return json_string(text);
}

static void read_option(struct loader *l, const char *option)
{
	const char *equals = strchr(option, '=');
	struct file *f = l->command_line;
	json_t *value;
	char *key;

	if (!equals || equals == option) {
		complain(l->complaints, f->name, 0, 0, "'%s' is not KEY=VALUE", option);
		return;
	}
	key = mem_print("%.*s", (int)(equals - option), option);
	value = option_value(schema_find(schema_service, key), equals + 1);
	if (json_object_get(f->root, key))
		complain(l->complaints, f->name, 0, 0, "%s: is there twice", key);
	else if (strcmp(key, "listen") == 0 || strcmp(key, "exec") == 0)
		complain(l->complaints, f->name, 0, 0, "%s: cannot be given here", key);
	else if (!value || json_object_set(f->root, key, value) < 0)
		complain(l->complaints, f->name, 0, 0, "%s: is not UTF-8", key);
	json_decref(value);
	free(key);
}

static void read_options(struct loader *l, char *const *options)
{
	l->command_line = file_nameless("-o");
	l->command_line->root = json_object();
	for (; options && *options; options++)
		read_option(l, *options);
}

/* ---- entries ---- */

static struct config *load(struct loader *l, struct file *f)
{
	struct draft base;

	services_presets(l, &base);
	f = loader_keep(l, f);
	if (f)
		reading_file(l, f, &base, 0);
	return complete(l);
}

struct config *load_file(const char *path, char *const *options, struct complaints *complaints)
{
	struct loader l;

	loader_init(&l, path, complaints);
	if (options && *options)
		read_options(&l, options);
	return load(&l, file_open(path, complaints));
}

struct config *load_text(
	const char *path, const char *text, size_t len, struct complaints *complaints)
{
	struct loader l;

	loader_init(&l, path, complaints);
	return load(&l, file_from_text(path, text, len, complaints));
}

static json_t *strings_of(struct loader *l, char *const *list, const char *place)
{
	json_t *array = json_array();

	for (; list && *list; list++) {
		if (json_array_append_new(array, json_string(*list)) < 0)
			complain(l->complaints, place, 0, 0, "'%s' is not UTF-8", *list);
	}
	return array;
}

struct config *load_oneliner(
	char *const *listen, char *const *options, char *const *argv, struct complaints *complaints)
{
	struct loader l;
	struct draft base;
	json_t *addresses, *words;

	loader_init(&l, NULL, complaints);
	read_options(&l, options);
	services_presets(&l, &base);
	addresses = strings_of(&l, listen, "-l");
	words = strings_of(&l, argv, "--");
	if (!loader_failed(&l))
		services_oneliner(&l, addresses, words, &base);
	json_decref(addresses);
	json_decref(words);
	return complete(&l);
}
