#include "daemon/config/values.h"

#include "daemon/base/mem.h"
#include "daemon/model/quantity.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- walking ---- */

/* jansson keeps the order of the file, and of duplicate keys the place of the first; locate()
 * does the same.  So a tree of values and its tree of spots are walked side by side. */
void walk_begin(struct walk *w, const struct reader *r, struct value parent)
{
	*w = (struct walk){ .file = r->file, .parent = parent.json, .spot = NOWHERE };
	if (json_is_object(parent.json))
		w->iter = json_object_iter(parent.json);
	if (parent.spot != NOWHERE)
		w->spot = r->file->spots.list[parent.spot].child;
}

bool walk_next(struct walk *w, const char **key, struct value *child)
{
	*key = NULL;
	if (json_is_object(w->parent)) {
		if (!w->iter)
			return false;
		*key = json_object_iter_key(w->iter);
		child->json = json_object_iter_value(w->iter);
		w->iter = json_object_iter_next(w->parent, w->iter);
	} else {
		if (w->index >= json_array_size(w->parent))
			return false;
		child->json = json_array_get(w->parent, w->index++);
	}
	child->spot = w->spot;
	if (w->spot != NOWHERE)
		w->spot = w->file->spots.list[w->spot].next;
	return true;
}

struct place place_of_key(const struct reader *r, struct value v)
{
	uint32_t offset = v.spot == NOWHERE ? NOWHERE : r->file->spots.list[v.spot].key;

	return (struct place){ r->file, offset, r->owner };
}

struct place place_of(const struct reader *r, struct value v)
{
	uint32_t offset = v.spot == NOWHERE ? NOWHERE : r->file->spots.list[v.spot].value;

	return (struct place){ r->file, offset, r->owner };
}

/* ---- complaints ---- */

const char *kind_of(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_NULL:
		return "null";
	default:
		return "true or false";
	}
}

void wrong_type(struct reader *r, const char *key, struct value v, const char *wants)
{
	struct place at = place_of(r, v);

	loader_complain(r->loader, &at, key, "wants %s, not %s", wants, kind_of(v.json));
}

#define COMPLAIN(r, k, v, ...)                                                                     \
	do {                                                                                       \
		struct place at_ = place_of(r, v);                                                 \
		loader_complain((r)->loader, &at_, (k)->name, __VA_ARGS__);                        \
	} while (0)

/* ---- scalars ---- */

static bool read_bool(struct reader *r, const struct key *k, struct value v, void *field)
{
	if (!json_is_boolean(v.json)) {
		wrong_type(r, k->name, v, "true or false");
		return false;
	}
	*(bool *)field = json_is_true(v.json);
	return true;
}

static bool in_range(struct reader *r, const struct key *k, struct value v, int64_t *n)
{
	const char *text = json_string_value(v.json);

	if (text && *text && strspn(text, "-0123456789") == strlen(text)) {
		COMPLAIN(r, k, v, "wants a number, not a string; write %s without quotes", text);
		return false;
	}
	if (!json_is_integer(v.json)) {
		wrong_type(r, k->name, v, json_is_real(v.json) ? "a whole number" : "a number");
		return false;
	}
	*n = json_integer_value(v.json);
	if (*n < k->min || *n > k->max) {
		COMPLAIN(r, k, v, "%" PRId64 " is outside %" PRId64 "..%" PRId64, *n, k->min,
			k->max);
		return false;
	}
	return true;
}

static bool read_count(struct reader *r, const struct key *k, struct value v, void *field)
{
	int64_t n;

	if (!in_range(r, k, v, &n))
		return false;
	*(uint32_t *)field = (uint32_t)n;
	return true;
}

static bool read_int(struct reader *r, const struct key *k, struct value v, void *field)
{
	int64_t n;

	if (!in_range(r, k, v, &n))
		return false;
	*(int *)field = (int)n;
	return true;
}

static bool read_duration(struct reader *r, const struct key *k, struct value v, void *field)
{
	char least[QUANTITY_TEXT_MAX], most[QUANTITY_TEXT_MAX];
	const char *text = json_string_value(v.json), *wrong;
	char number[32];
	uint64_t ms = 0;

	if (text) {
		wrong = quantity_duration(text, &ms);
	} else if (json_is_number(v.json)) {
		snprintf(number, sizeof number, "%.15g", json_number_value(v.json));
		text = number;
		wrong = quantity_seconds(json_number_value(v.json), &ms);
	} else {
		wrong_type(r, k->name, v, "a duration such as \"30s\"");
		return false;
	}
	if (wrong) {
		COMPLAIN(r, k, v, "'%s' %s", text, wrong);
		return false;
	}
	if (ms < (uint64_t)k->min || ms > (uint64_t)k->max) {
		COMPLAIN(r, k, v, "%s is outside %s..%s", text,
			quantity_duration_text((uint64_t)k->min, least),
			quantity_duration_text((uint64_t)k->max, most));
		return false;
	}
	*(uint64_t *)field = ms;
	return true;
}

static bool read_octal(struct reader *r, const struct key *k, struct value v, void *field)
{
	const char *text = json_string_value(v.json);
	unsigned long mode;

	if (json_is_integer(v.json)) {
		COMPLAIN(r, k, v,
			"wants a string of octal digits, not a number; put it in quotes, as "
			"\"022\"");
		return false;
	}
	if (!text) {
		wrong_type(r, k->name, v, "a string of octal digits");
		return false;
	}
	if (!*text || strspn(text, "01234567") != strlen(text)) {
		COMPLAIN(r, k, v, "'%s' is not a string of octal digits, as \"022\" is", text);
		return false;
	}
	mode = strtoul(text, NULL, 8);
	if (mode > (unsigned long)k->max) {
		COMPLAIN(r, k, v, "'%s' is outside 0..0%lo", text, (unsigned long)k->max);
		return false;
	}
	*(mode_t *)field = (mode_t)mode;
	return true;
}

/* ---- texts ---- */

static const char *get_text(
	struct reader *r, const struct key *k, struct value v, const char *wants)
{
	const char *text = json_string_value(v.json);

	if (!text)
		wrong_type(r, k->name, v, wants);
	return text;
}

static bool read_text(struct reader *r, const struct key *k, struct value v, void *field)
{
	const char *text = get_text(r, k, v, "a string");

	if (!text)
		return false;
	*(const char **)field = loader_text(r->loader, text);
	return true;
}

static const char *get_path(struct reader *r, const struct key *k, struct value v)
{
	const char *text = get_text(r, k, v, "a path"), *kept;
	char *path;

	if (!text)
		return NULL;
	if (!*text) {
		COMPLAIN(r, k, v, "the path is empty");
		return NULL;
	}
	path = file_path(r->file, text);
	kept = loader_text(r->loader, path);
	free(path);
	return kept;
}

static bool read_path(struct reader *r, const struct key *k, struct value v, void *field)
{
	const char *path = get_path(r, k, v);

	if (path)
		*(const char **)field = path;
	return path;
}

static bool read_word(struct reader *r, const struct key *k, struct value v, void *field)
{
	const char *text = get_text(r, k, v, "a word");
	char known[120] = "";

	if (!text)
		return false;
	for (unsigned i = 0; k->words[i]; i++) {
		size_t n = strlen(known);

		if (strcmp(k->words[i], text) == 0) {
			*(unsigned *)field = i;
			return true;
		}
		snprintf(known + n, sizeof known - n, "%s\"%s\"", i ? ", " : "", k->words[i]);
	}
	COMPLAIN(r, k, v, "'%s' is none of %s", text, known);
	return false;
}

/* An account's number may be written as a number. */
static const char *get_account(struct reader *r, const struct key *k, struct value v)
{
	const char *text = json_string_value(v.json);
	char number[24];

	if (json_is_integer(v.json)) {
		snprintf(
			number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(v.json));
		text = number;
	}
	if (!text) {
		wrong_type(r, k->name, v, "a name or a number");
		return NULL;
	}
	if (!*text || *text == '-') {
		COMPLAIN(r, k, v, "'%s' is no name and no number", text);
		return NULL;
	}
	return loader_text(r->loader, text);
}

static bool read_account(struct reader *r, const struct key *k, struct value v, void *field)
{
	const char *name = get_account(r, k, v);

	if (name)
		*(const char **)field = name;
	return name;
}

/* ---- lists ---- */

typedef const char *get_item(struct reader *r, const struct key *k, struct value v);

static const char *get_plain(struct reader *r, const struct key *k, struct value v)
{
	const char *text = get_text(r, k, v, "strings only");

	return text ? loader_text(r->loader, text) : NULL;
}

static bool read_list(
	struct reader *r, const struct key *k, struct value v, get_item *get, void *field)
{
	struct list list = { 0 };
	struct strings done;
	struct value item;
	struct walk w;
	const char *key;
	bool ok = true;

	walk_begin(&w, r, v);
	while (walk_next(&w, &key, &item)) {
		const char *text = get(r, k, item);

		ok = ok && text;
		list_add(&list, text);
	}
	done = list_done(&list, &r->loader->scratch);
	if (ok)
		*(struct strings *)field = done;
	return ok;
}

static bool read_strings(struct reader *r, const struct key *k, struct value v, void *field)
{
	const char *text = json_string_value(v.json);
	struct list list = { 0 };

	if (text) {
		list_add(&list, loader_text(r->loader, text));
		*(struct strings *)field = list_done(&list, &r->loader->scratch);
		return true;
	}
	if (!json_is_array(v.json)) {
		wrong_type(r, k->name, v, "a string or an array of strings");
		return false;
	}
	if (json_array_size(v.json) == 0) {
		COMPLAIN(r, k, v, "the array is empty");
		return false;
	}
	return read_list(r, k, v, get_plain, field);
}

static bool read_array(struct reader *r, const struct key *k, struct value v, get_item *get,
	const char *wants, void *field)
{
	if (!json_is_array(v.json)) {
		wrong_type(r, k->name, v, wants);
		return false;
	}
	return read_list(r, k, v, get, field);
}

static bool read_paths(struct reader *r, const struct key *k, struct value v, void *field)
{
	return read_array(r, k, v, get_path, "an array of folders", field);
}

static bool read_accounts(struct reader *r, const struct key *k, struct value v, void *field)
{
	return read_array(r, k, v, get_account, "an array of names", field);
}

/* ---- the table ---- */

static bool read_object(struct reader *r, const struct key *k, struct value v, void *base)
{
	struct reader inner = *r;

	if (!json_is_object(v.json)) {
		wrong_type(r, k->name, v, "an object");
		return false;
	}
	inner.owner = k->name; /* objects of objects do not occur in services */
	object_read(&inner, NULL, k->keys, v, base, NULL, NULL);
	return true;
}

static bool (*const readers[])(struct reader *, const struct key *, struct value, void *) = {
	[KEY_BOOL] = read_bool,
	[KEY_COUNT] = read_count,
	[KEY_INT] = read_int,
	[KEY_DURATION] = read_duration,
	[KEY_OCTAL] = read_octal,
	[KEY_TEXT] = read_text,
	[KEY_PATH] = read_path,
	[KEY_PATHS] = read_paths,
	[KEY_WORD] = read_word,
	[KEY_STRINGS] = read_strings,
	[KEY_LISTEN] = read_listen,
	[KEY_ACCOUNT] = read_account,
	[KEY_ACCOUNTS] = read_accounts,
	[KEY_ENV] = read_env,
	[KEY_NAMES] = read_names,
	[KEY_SINK] = read_sink,
	[KEY_RLIMITS] = read_rlimits,
	[KEY_OBJECT] = read_object,
};

bool value_read(struct reader *r, const struct key *k, struct value v, void *base)
{
	return readers[k->type](r, k, v, (char *)base + k->offset);
}

void object_read(struct reader *r, const char *within, const struct key *keys, struct value object,
	void *base, each_member *each, void *context)
{
	struct value v;
	struct walk w;
	const char *name;

	walk_begin(&w, r, object);
	while (walk_next(&w, &name, &v)) {
		const struct key *k = schema_find(keys, name);
		struct place at = place_of_key(r, v);
		char hint[160];

		if (schema_is_comment(name))
			continue;
		if (!k)
			loader_complain(r->loader, &at, within, "unknown key '%s'%s", name,
				schema_hint(keys, name, hint));
		else if (!each || !each(context, k, v))
			value_read(r, k, v, base);
	}
}
