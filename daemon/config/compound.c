/* Values that are lists and objects with rules of their own: addresses, environments, limits. */
#include "daemon/base/mem.h"
#include "daemon/config/passed.h"
#include "daemon/config/variable.h"
#include "daemon/model/quantity.h"
#include "daemon/os/handed.h"

#include "daemon/config/types.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_MAX (1 << 18) /* of a whole configuration; every one is a descriptor */

/* ---- listen ---- */

struct listening {
	struct reader *reader;
	struct addr *list; /* owned */
	size_t count, cap;
};

static void add_addr(const struct addr *a, void *context)
{
	struct listening *n = context;

	n->list = mem_reserve(n->list, &n->cap, n->count + 1, sizeof *n->list);
	n->list[n->count++] = *a;
}

/* A unix path that is relative is so to the file that names it. */
static char *absolute(const struct file *f, const char *text)
{
	static const char prefix[] = "unix:";
	size_t n = sizeof prefix - 1;
	char *path, *whole;

	if (strncmp(text, prefix, n) != 0 || !text[n] || text[n] == '@')
		return mem_dup(text);
	path = file_path(f, text + n);
	whole = mem_print("%s%s", prefix, path);
	free(path);
	return whole;
}

/* If the last one is a name, what it stands for comes in its place, unless that is not known. */
static const char *add_passed(struct listening *n, char *why, size_t why_size)
{
	struct addr named = n->list[n->count - 1];

	if (named.kind != ADDR_FD || !handed_is_known())
		return NULL;
	n->count--;
	return passed_find(named.un.sun_path, add_addr, n, why, why_size);
}

static bool add_text(struct listening *n, const struct key *k, struct value v)
{
	struct place at = place_of(n->reader, v);
	const char *text = json_string_value(v.json), *wrong;
	struct loader *l = n->reader->loader;
	size_t before = n->count;
	char why[256], *whole;

	if (json_is_integer(v.json)) {
		loader_complain(l, &at, k->name,
			"wants a string, not a number; write \"%" JSON_INTEGER_FORMAT
			"\" in quotes",
			json_integer_value(v.json));
		return false;
	}
	if (!text) {
		wrong_type(n->reader, k->name, v, "an address such as \"7000\"");
		return false;
	}
	whole = absolute(n->reader->file, text);
	wrong = addr_parse(whole, add_addr, n, why, sizeof why);
	free(whole);
	if (!wrong)
		wrong = add_passed(n, why, sizeof why);
	l->addresses_count += n->count - before;
	if (!wrong && l->addresses_count > ADDRESSES_MAX)
		wrong = "these are too many addresses";
	if (wrong)
		loader_complain(l, &at, k->name, "%s", wrong);
	l->claims = mem_reserve(
		l->claims, &l->claims_cap, l->claims_count + n->count - before, sizeof *l->claims);
	for (; !wrong && before < n->count; before++)
		l->claims[l->claims_count++] = (struct claim){ .place = at };
	n->count = before;
	return !wrong;
}

/* Claims are added here, since the places are known here; build.c takes them back for a service
 * that will not be opened. */
bool read_listen(struct reader *r, const struct key *k, struct value v, void *field)
{
	struct loader *l = r->loader;
	struct listening n = { .reader = r };
	struct service *s = field;
	size_t first = l->claims_count;
	struct value item;
	struct addr *list;
	struct walk w;
	const char *key;
	bool ok = true;

	if (!json_is_array(v.json)) {
		ok = add_text(&n, k, v);
	} else if (json_array_size(v.json) == 0) {
		struct place at = place_of(r, v);

		loader_complain(l, &at, k->name, "the array is empty");
		ok = false;
	} else {
		walk_begin(&w, r, v);
		while (walk_next(&w, &key, &item))
			ok = add_text(&n, k, item) && ok;
	}
	list = arena_new(&l->config->arena, n.count * sizeof *list);
	if (n.count)
		memcpy(list, n.list, n.count * sizeof *list);
	free(n.list);
	for (size_t i = 0; i < n.count; i++)
		l->claims[first + i].addr = &list[i];
	s->listen = list;
	s->listen_count = n.count;
	return ok;
}

/* ---- environment ---- */

static bool good_variable(
	struct reader *r, const struct key *k, const char *name, struct place at, const char *wrong)
{
	if (wrong)
		loader_complain(r->loader, &at, k->name, "'%s' %s", name, wrong);
	return !wrong;
}

static bool same_variable(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n) == 0 && b[n] == '=';
}

static const char *get_variable(
	struct reader *r, const struct key *k, const char *name, struct value v)
{
	const char *text = json_string_value(v.json), *kept;
	struct place at = place_of(r, v);
	char *pair;

	if (!good_variable(r, k, name, place_of_key(r, v), variable_settable(name)))
		return NULL;
	if (!text) {
		loader_complain(r->loader, &at, k->name, "'%s' wants a string, not %s", name,
			kind_of(v.json));
		return NULL;
	}
	if (strchr(text, '\n')) {
		loader_complain(r->loader, &at, k->name, "'%s' holds a newline", name);
		return NULL;
	}
	pair = mem_print("%s=%s", name, text);
	kept = loader_text(r->loader, pair);
	free(pair);
	return kept;
}

/* Adds to what `defaults` set: the one key that merges. */
bool read_env(struct reader *r, const struct key *k, struct value v, void *field)
{
	struct strings *env = field;
	struct list list = { 0 };
	struct value item;
	struct walk w;
	const char *name;
	size_t own;
	bool ok = true;

	if (!json_is_object(v.json)) {
		wrong_type(r, k->name, v, "an object of strings");
		return false;
	}
	walk_begin(&w, r, v);
	while (walk_next(&w, &name, &item)) {
		const char *pair;

		if (schema_is_comment(name))
			continue;
		pair = get_variable(r, k, name, item);
		if (pair)
			list_add(&list, pair);
		ok = ok && pair;
	}
	own = list.count;
	for (size_t i = 0; i < env->count; i++) {
		size_t j = 0;

		while (j < own && !same_variable(list.items[j], env->items[i]))
			j++;
		if (j == own)
			list_add(&list, env->items[i]);
	}
	*env = list_done(&list, &r->loader->scratch);
	return ok;
}

bool read_names(struct reader *r, const struct key *k, struct value v, void *field)
{
	struct list list = { 0 };
	struct value item;
	struct walk w;
	const char *key;
	bool ok = true;

	if (!json_is_array(v.json)) {
		wrong_type(r, k->name, v, "an array of names");
		return false;
	}
	walk_begin(&w, r, v);
	while (walk_next(&w, &key, &item)) {
		const char *name = json_string_value(item.json);

		if (!name) {
			wrong_type(r, k->name, item, "names only");
			ok = false;
		} else if (!good_variable(r, k, name, place_of(r, item), variable_passable(name))) {
			ok = false;
		} else {
			list_add(&list, loader_text(r->loader, name));
		}
	}
	*(struct strings *)field = list_done(&list, &r->loader->scratch);
	return ok;
}

/* ---- a word or a file ---- */

static const struct key sink_keys[] = {
	{ .name = "file", .type = KEY_PATH },
	{ 0 },
};

static bool add_words(const struct key *k, char *text, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; k->words[i] && n < size; i++)
		n += (size_t)snprintf(text + n, size - n, "\"%s\", ", k->words[i]);
	if (n < size)
		n += (size_t)snprintf(text + n, size - n, "{\"file\": PATH}");
	return n < size;
}

bool read_sink(struct reader *r, const struct key *k, struct value v, void *field)
{
	const char *text = json_string_value(v.json), *path = NULL;
	struct place at = place_of(r, v);
	struct reader inner = *r;
	char known[120], *owner;

	for (unsigned i = 0; text && k->words[i]; i++) {
		if (strcmp(text, k->words[i]) == 0) {
			*(struct sink *)field = (struct sink){ .word = i };
			return true;
		}
	}
	add_words(k, known, sizeof known);
	if (text) {
		loader_complain(r->loader, &at, k->name, "'%s' is none of %s", text, known);
		return false;
	}
	if (!json_is_object(v.json)) {
		wrong_type(r, k->name, v, known);
		return false;
	}
	inner.owner = owner = r->owner ? mem_print("%s: %s", r->owner, k->name) : mem_dup(k->name);
	object_read(&inner, NULL, sink_keys, v, &path, NULL, NULL);
	free(owner);
	if (path)
		*(struct sink *)field = (struct sink){ .path = path };
	else if (!json_object_get(v.json, "file"))
		loader_complain(r->loader, &at, k->name, "the key 'file' is missing");
	return path;
}
