#include "daemon/config/values.h"

#include "daemon/config/types.h"

#include <assert.h>

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

void value_complain(struct reader *r, const struct key *k, struct value v, const char *format, ...)
{
	struct place at = place_of(r, v);
	va_list ap;

	va_start(ap, format);
	loader_complain_list(r->loader, &at, k->name, format, ap);
	va_end(ap);
}

void wrong_type(struct reader *r, const char *key, struct value v, const char *wants)
{
	struct place at = place_of(r, v);

	loader_complain(r->loader, &at, key, "wants %s, not %s", wants, kind_of(v.json));
}

/* ---- the table ---- */

/* The whole value is replaced: what it does not say is not what `defaults` said. */
static bool read_object(struct reader *r, const struct key *k, struct value v, void *base)
{
	struct reader inner = *r;
	bool ok = true;

	if (!json_is_object(v.json)) {
		wrong_type(r, k->name, v, "an object");
		return false;
	}
	presets_read(r->loader, k->keys, base);
	inner.owner =
		r->owner ? arena_print(&r->loader->scratch, "%s: %s", r->owner, k->name) : k->name;
	object_read(&inner, NULL, k->keys, v, base, NULL, NULL);
	for (const struct key *own = k->keys; own->name; own++) {
		if (own->preset || json_object_get(v.json, own->name))
			continue;
		value_complain(r, k, v, "the key '%s' is missing", own->name);
		ok = false;
	}
	return ok;
}

static read_type *const readers[] = {
	[KEY_BOOL] = read_bool,
	[KEY_COUNT] = read_count,
	[KEY_INT] = read_int,
	[KEY_DURATION] = read_duration,
	[KEY_SIZE] = read_size,
	[KEY_RATE] = read_rate,
	[KEY_OCTAL] = read_octal,
	[KEY_TEXT] = read_text,
	[KEY_PATH] = read_path,
	[KEY_PATHS] = read_paths,
	[KEY_WORD] = read_word,
	[KEY_STRINGS] = read_strings,
	[KEY_LISTEN] = read_listen,
	[KEY_PEERS] = read_peers,
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

void presets_read(struct loader *l, const struct key *keys, void *base)
{
	struct reader r = { .loader = l, .file = l->builtin };

	for (; keys->name; keys++) {
		struct value v = { NULL, NOWHERE };
		bool ok;

		if (keys->type == KEY_OBJECT)
			presets_read(l, keys->keys, base);
		if (!keys->preset)
			continue;
		v.json = json_loads(keys->preset, JSON_DECODE_ANY, NULL);
		ok = v.json && value_read(&r, keys, v, base);
		assert(ok); /* a preset is one of the values that its own row allows */
		(void)ok;
		json_decref(v.json);
	}
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
