#include "daemon/config/reading.h"

#include "daemon/base/mem.h"
#include "daemon/config/services.h"
#include "daemon/config/types.h"

#include <errno.h>
#include <glob.h>
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

/* ---- include ---- */

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
	f = loader_keep(l, f);
	if (f)
		reading_file(l, f, &g->base, depth + 1);
}

/* glob(3) finds nothing in a folder that it may not read, which is not the same as nothing there.
 */
static bool may_list(const char *pattern)
{
	const char *slash = strrchr(pattern, '/');
	char *folder =
		slash ? mem_print("%.*s", (int)(slash + 1 - pattern), pattern) : mem_dup(".");
	bool ok = access(folder, R_OK | X_OK) == 0 || errno != EACCES;

	free(folder);
	return ok;
}

static void include_pattern(struct reading *g, const char *pattern, struct value v, unsigned depth)
{
	struct place at = place_of(&g->reader, v);
	char *path = file_beside(g->reader.file, pattern);
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
	} else if (!may_list(path)) {
		loader_complain(g->reader.loader, &at, "include",
			"the folder of '%s' may not be read: permission denied", path);
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

void reading_file(struct loader *l, struct file *f, const struct draft *base, unsigned depth)
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
