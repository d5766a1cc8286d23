#include "daemon/config/load.h"

#include "daemon/base/mem.h"
#include "daemon/config/services.h"

#include <assert.h>
#include <errno.h>
#include <glob.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_LIMIT 8 /* of files that include files */

/* One file on its way in. */
struct reading {
	struct reader reader;
	struct draft base; /* what its services begin as */
	bool included;
	struct value include, defaults, services; /* json NULL: not there */
};

static void read_file(struct loader *l, struct file *f, const struct draft *base, unsigned depth);

/* ---- include ---- */

/* The pattern as seen from where superd stands, so that complaints name files as users do. */
static char *beside(const struct file *f, const char *pattern)
{
	const char *slash = strrchr(f->name, '/');

	if (pattern[0] == '/' || !slash)
		return mem_dup(pattern);
	return mem_print("%.*s%s", (int)(slash + 1 - f->name), f->name, pattern);
}

static bool read_before(struct loader *l, const struct file *f)
{
	for (size_t i = 0; i < l->files_count; i++) {
		if (f->inode && l->files[i]->inode == f->inode && l->files[i]->device == f->device)
			return true;
	}
	return false;
}

static void include_file(struct reading *g, const char *name, struct value v, unsigned depth)
{
	struct loader *l = g->reader.loader;
	struct place at = place_of(&g->reader, v);
	struct file *f;

	if (depth >= DEPTH_LIMIT) {
		loader_complain(
			l, &at, "include", "files are included more than %d deep", DEPTH_LIMIT);
		return;
	}
	f = file_open(name, l->complaints);
	if (f && read_before(l, f)) {
		loader_complain(l, &at, "include",
			"'%s' is read already; a file can be included once", name);
		file_free(f);
		return;
	}
	if (loader_keep(l, f))
		read_file(l, f, &g->base, depth + 1);
}

static void include_pattern(struct reading *g, const char *pattern, struct value v, unsigned depth)
{
	struct place at = place_of(&g->reader, v);
	char *path = beside(g->reader.file, pattern);
	glob_t found = { 0 };

	if (!strpbrk(pattern, "*?[")) {
		if (access(path, F_OK) < 0 && errno == ENOENT)
			loader_complain(g->reader.loader, &at, "include",
				"there is no file '%s'; a pattern such as *.json may match none",
				path);
		else
			include_file(g, path, v, depth);
	} else if (glob(path, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			include_file(g, found.gl_pathv[i], v, depth);
	}
	globfree(&found);
	free(path);
}

static void read_include(struct reading *g, unsigned depth)
{
	struct value v;
	struct walk w;
	const char *key;

	if (!json_is_array(g->include.json)) {
		wrong_type(&g->reader, "include", g->include, "an array of patterns");
		return;
	}
	walk_begin(&w, &g->reader, g->include);
	while (walk_next(&w, &key, &v)) {
		if (json_is_string(v.json) && *json_string_value(v.json))
			include_pattern(g, json_string_value(v.json), v, depth);
		else
			wrong_type(&g->reader, "include", v, "patterns of files");
	}
}

/* ---- one file ---- */

static bool sort_out(void *context, const struct key *k, struct value v)
{
	struct reading *g = context;
	struct place at = place_of_key(&g->reader, v);

	if (g->included && k->scope == MAIN_FILE) {
		loader_complain(g->reader.loader, &at, k->name,
			"belongs into the main file, not into one that is included");
		return true;
	}
	if (k->type != KEY_SECTION)
		return false;
	if (strcmp(k->name, "include") == 0)
		g->include = v;
	else if (strcmp(k->name, "defaults") == 0)
		g->defaults = v;
	else if (strcmp(k->name, "services") == 0)
		g->services = v;
	return true;
}

static void complain_duplicates(struct loader *l, const struct file *f)
{
	for (size_t i = 0; i < f->spots.duplicates_count; i++) {
		const struct duplicate *d = &f->spots.duplicates[i];
		struct place at = { .file = f, .offset = d->again };
		const char *key = f->text + d->again + 1;
		unsigned line, column;
		size_t n = 0;

		while (key[n] && key[n] != '"')
			n += key[n] == '\\' && key[n + 1] ? 2 : 1;
		file_place(f, d->first, &line, &column);
		loader_complain(l, &at, NULL, "the key '%.*s' is there already, at %u:%u",
			n < 100 ? (int)n : 100, key, line, column);
	}
}

static void read_file(struct loader *l, struct file *f, const struct draft *base, unsigned depth)
{
	struct reading g = {
		.reader = { .loader = l, .file = f }, .base = *base, .included = depth
	};

	complain_duplicates(l, f);
	object_read(
		&g.reader, NULL, schema_top, (struct value){ f->root, 0 }, &l->top, sort_out, &g);
	if (g.defaults.json)
		services_defaults(&g.reader, g.defaults, &g.base);
	if (g.services.json)
		services_read(&g.reader, g.services, &g.base);
	if (g.include.json)
		read_include(&g, depth);
}

/* ---- the whole ---- */

static void top_presets(struct loader *l, const struct key *keys)
{
	struct reader r = { .loader = l, .file = l->builtin };

	for (; keys->name; keys++) {
		struct value v = { NULL, NOWHERE };
		bool ok;

		if (keys->type == KEY_OBJECT)
			top_presets(l, keys->keys);
		if (!keys->preset)
			continue;
		v.json = json_loads(keys->preset, JSON_DECODE_ANY, NULL);
		ok = v.json && value_read(&r, keys, v, &l->top);
		assert(ok);
		(void)ok;
		json_decref(v.json);
	}
}

static void loader_init(struct loader *l, const char *path, struct complaints *complaints)
{
	*l = (struct loader){ .config = mem_new(sizeof *l->config), .complaints = complaints };
	l->complaints_before = complaints->count;
	l->builtin = file_nameless("superd");
	if (path)
		l->config->path = arena_dup(&l->config->arena, path);
	top_presets(l, schema_top);
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
	c->max_connections = l->top.max_connections;
	c->stop_timeout_ms = l->top.stop_timeout_ms;
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
	value = json_loads(equals + 1, JSON_DECODE_ANY, NULL);
	if (!value)
		value = json_string(equals + 1);
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
	if (loader_keep(l, f))
		read_file(l, f, &base, 0);
	return complete(l);
}

struct config *load_file(const char *path, struct complaints *complaints)
{
	return load_file_with(path, NULL, complaints);
}

struct config *load_file_with(const char *path, char *const *options, struct complaints *complaints)
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
