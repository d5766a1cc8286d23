/* The JSON Schema of a configuration file, from the rows of the table. */
#include "daemon/config/schema.h"

#include "daemon/base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define DURATION "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)?$"
#define SIZE "^[0-9]+(\\.[0-9]+)?[KMGT]?$"
#define RATE "^[0-9]+(/[smh])?( burst [0-9]+)?$"

static json_t *object_of(const struct key *keys, bool defaults);

static json_t *string_like(const char *pattern)
{
	return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

static json_t *either(json_t *a, json_t *b)
{
	return json_pack("{s:[o, o]}", "anyOf", a, b);
}

static json_t *array_of(json_t *items)
{
	return json_pack("{s:s, s:o}", "type", "array", "items", items);
}

static json_t *plain(const char *type)
{
	return json_pack("{s:s}", "type", type);
}

static json_t *number_between(const struct key *k)
{
	return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)k->min,
		"maximum", (json_int_t)k->max);
}

static json_t *words(const struct key *k)
{
	json_t *list = json_array();

	for (size_t i = 0; k->words[i]; i++)
		json_array_append_new(list, json_string(k->words[i]));
	return json_pack("{s:o}", "enum", list);
}

static json_t *strings(void)
{
	json_t *array = array_of(plain("string"));

	json_object_set_new(array, "minItems", json_integer(1));
	return either(plain("string"), array);
}

static json_t *account(void)
{
	return json_pack("{s:[s, s]}", "type", "string", "integer");
}

static json_t *text_of(const struct key *k)
{
	json_t *text = plain("string");

	if (k->max)
		json_object_set_new(text, "maxLength", json_integer(k->max));
	return text;
}

static json_t *file(void)
{
	return json_pack("{s:s, s:{s:{s:s}}, s:[s]}", "type", "object", "properties", "file",
		"type", "string", "required", "file");
}

static json_t *sink(const struct key *k)
{
	return either(words(k), file());
}

static json_t *peers(const struct key *k)
{
	json_t *array = array_of(either(plain("string"), file()));

	json_object_set_new(array, "minItems", json_integer(k->min));
	return json_pack("{s:[o, o, o]}", "anyOf", plain("string"), file(), array);
}

static json_t *variables(void)
{
	return json_pack("{s:s, s:{s:{}}, s:{s:s}}", "type", "object", "patternProperties", "^//",
		"additionalProperties", "type", "string");
}

/* A limit: a value, or a pair of them. */
static json_t *limit(json_t *value)
{
	json_t *pair = json_pack("{s:s, s:{s:O, s:O}, s:i}", "type", "object", "properties", "soft",
		value, "hard", value, "minProperties", 1);

	return either(value, pair);
}

static json_t *limit_or_word(const char *pattern)
{
	json_t *text = pattern ? string_like(pattern) : json_pack("{s:s}", "const", "unlimited");

	return limit(either(json_pack("{s:s, s:i}", "type", "integer", "minimum", 0), text));
}

static json_t *section(const struct key *k)
{
	json_t *services;

	if (strcmp(k->name, "include") == 0)
		return array_of(plain("string"));
	if (strcmp(k->name, "defaults") == 0)
		return object_of(schema_service, true);
	if (strcmp(k->name, "services") != 0)
		return plain("string");
	services = json_pack("{s:s, s:{s:{}, s:o}, s:b}", "type", "object", "patternProperties",
		"^//", "^[A-Za-z0-9_.-]{1,64}$", object_of(schema_service, false),
		"additionalProperties", 0);
	return services;
}

/* An object whose keys without a default must be there. */
static json_t *object(const struct key *k)
{
	json_t *whole = object_of(k->keys, false), *required = json_array();

	for (const struct key *own = k->keys; own->name; own++) {
		if (!own->preset)
			json_array_append_new(required, json_string(own->name));
	}
	if (json_array_size(required))
		json_object_set(whole, "required", required);
	json_decref(required);
	return whole;
}

static json_t *type_of(const struct key *k)
{
	switch (k->type) {
	case KEY_BOOL:
		return plain("boolean");
	case KEY_COUNT:
	case KEY_INT:
		return number_between(k);
	case KEY_DURATION:
		return either(string_like(DURATION),
			json_pack("{s:s, s:i}", "type", "number", "minimum", 0));
	case KEY_SIZE:
		return either(string_like(SIZE),
			json_pack("{s:s, s:i}", "type", "integer", "minimum", 0));
	case KEY_RATE:
		return either(string_like(RATE),
			json_pack("{s:s, s:i}", "type", "integer", "minimum", 0));
	case KEY_OCTAL:
		return string_like("^[0-7]{1,4}$");
	case KEY_TEXT:
		return text_of(k);
	case KEY_PATH:
		return plain("string");
	case KEY_PATHS:
	case KEY_NAMES:
		return array_of(plain("string"));
	case KEY_WORD:
		return words(k);
	case KEY_STRINGS:
	case KEY_LISTEN:
		return strings();
	case KEY_PEERS:
		return peers(k);
	case KEY_ACCOUNT:
		return account();
	case KEY_ACCOUNTS:
		return array_of(account());
	case KEY_ENV:
		return variables();
	case KEY_SINK:
		return sink(k);
	case KEY_RLIMITS:
		return object_of(k->keys, false);
	case KEY_OBJECT:
		return object(k);
	case KEY_LIMIT_COUNT:
		return limit_or_word(NULL);
	case KEY_LIMIT_SIZE:
		return limit_or_word("^([0-9]+(\\.[0-9]+)?[KMGT]?|unlimited)$");
	case KEY_LIMIT_TIME:
		return limit_or_word("^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d)?|unlimited)$");
	case KEY_SECTION:
		return section(k);
	}
	abort();
}

static json_t *object_of(const struct key *keys, bool defaults)
{
	json_t *properties = json_object();

	for (const struct key *k = keys; k->name; k++) {
		json_t *one;

		if (defaults && k->scope == ITS_SERVICE)
			continue;
		one = json_object();
		json_object_set_new(one, "description", json_string(k->help));
		json_object_update_new(one, type_of(k));
		/* The folders of handlers are the build's, and this schema is every build's. */
		if (k->preset && k->type != KEY_PATHS)
			json_object_set_new(
				one, "default", json_loads(k->preset, JSON_DECODE_ANY, NULL));
		json_object_set_new(properties, k->name, one);
	}
	return json_pack("{s:s, s:o, s:{s:{}}, s:b}", "type", "object", "properties", properties,
		"patternProperties", "^//", "additionalProperties", 0);
}

void schema_print(FILE *out)
{
	json_t *schema = json_pack("{s:s, s:s}", "$schema",
		"https://json-schema.org/draft/2020-12/schema", "title", "superd configuration");

	json_object_update_new(schema, object_of(schema_top, false));
	json_dumpf(schema, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(schema);
}
