/* Values that are texts, and lists of them. */
#include "daemon/base/mem.h"
#include "daemon/config/types.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *get_text(
	struct reader *r, const struct key *k, struct value v, const char *wants)
{
	const char *text = json_string_value(v.json);

	if (!text)
		wrong_type(r, k->name, v, wants);
	return text;
}

bool read_text(struct reader *r, const struct key *k, struct value v, void *field)
{
	const char *text = get_text(r, k, v, "a string");

	if (!text)
		return false;
	if (k->max && strlen(text) > (size_t)k->max) {
		value_complain(r, k, v, "is %zu bytes long; at most %" PRId64 " are allowed",
			strlen(text), k->max);
		return false;
	}
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
		value_complain(r, k, v, "the path is empty");
		return NULL;
	}
	path = file_path(r->file, text);
	kept = loader_text(r->loader, path);
	free(path);
	return kept;
}

bool read_path(struct reader *r, const struct key *k, struct value v, void *field)
{
	const char *path = get_path(r, k, v);

	if (path)
		*(const char **)field = path;
	return path;
}

bool read_word(struct reader *r, const struct key *k, struct value v, void *field)
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
	value_complain(r, k, v, "'%s' is none of %s", text, known);
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
		value_complain(r, k, v, "'%s' is no name and no number", text);
		return NULL;
	}
	return loader_text(r->loader, text);
}

bool read_account(struct reader *r, const struct key *k, struct value v, void *field)
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

bool read_strings(struct reader *r, const struct key *k, struct value v, void *field)
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
		value_complain(r, k, v, "the array is empty");
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

bool read_paths(struct reader *r, const struct key *k, struct value v, void *field)
{
	return read_array(r, k, v, get_path, "an array of folders", field);
}

bool read_accounts(struct reader *r, const struct key *k, struct value v, void *field)
{
	return read_array(r, k, v, get_account, "an array of names", field);
}
