/* The table of keys: that it is sound, and what it hints. */
#include "daemon/config/load.h"
#include "daemon/config/schema.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_table(const struct key *keys)
{
	for (const struct key *k = keys; k->name; k++) {
		assert_ptr_equal(schema_find(keys, k->name), k); /* no name is there twice */
		assert_non_null(k->help);
		assert_true(strlen(k->help) > 2);
		if (k->type == KEY_COUNT || k->type == KEY_INT || k->type == KEY_DURATION ||
			k->type == KEY_SIZE)
			assert_true(k->min < k->max);
		if (k->type == KEY_WORD || k->type == KEY_SINK)
			assert_non_null(k->words);
		if (k->type == KEY_OBJECT || k->type == KEY_RLIMITS)
			check_table(k->keys);
		if (k->preset) {
			json_t *preset = json_loads(k->preset, JSON_DECODE_ANY, NULL);

			assert_non_null(preset);
			json_decref(preset);
		}
	}
}

static void every_row_is_complete(void **state)
{
	size_t n = 0;

	(void)state;
	check_table(schema_top);
	check_table(schema_service);
	while (schema_service[n].name)
		n++;
	assert_true(n < SERVICE_KEYS_MAX);
}

static const struct {
	const struct key *keys;
	const char *name, *hint;
} hints[] = {
	{ schema_service, "lisen", "; did you mean 'listen'?" },
	{ schema_service, "lsiten", "; did you mean 'listen'?" },
	{ schema_service, "Listen", "; did you mean 'listen'?" },
	{ schema_service, "exce", "; did you mean 'exec'?" },
	{ schema_service, "max_conections", "; did you mean 'max_connections'?" },
	{ schema_service, "server", "; here it is 'exec'" },
	{ schema_service, "only_from", "; here it is 'allow'" },
	{ schema_service, "no_access", "; here it is 'deny'" },
	{ schema_service, "per_source", "; here it is 'max_per_source'" },
	{ schema_service, "alow", "; did you mean 'allow'?" },
	{ schema_service, "includedir", "; here it is 'include', as in [\"services.d/*.json\"]" },
	{ schema_service, "stop_timeout", "; it belongs to the top level of the file" },
	{ schema_top, "listen", "; it belongs into a service, or into 'defaults'" },
	{ schema_top, "server", "; here it is 'exec'" },
	{ schema_top, "servcies", "; did you mean 'services'?" },
	{ schema_rlimits, "nofiles", "; did you mean 'nofile'?" },
	{ schema_service, "x", "" },
	{ schema_service, "", "" },
	{ schema_service, "a_very_long_word_that_is_no_key_of_anything_at_all", "" },
};

static void a_wrong_key_is_answered_with_a_hint(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
		char out[160];

		assert_string_equal(schema_hint(hints[i].keys, hints[i].name, out), hints[i].hint);
	}
}

static void the_json_schema_is_json(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	json_t *schema;

	(void)state;
	schema_print(out);
	fclose(out);
	schema = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(schema);
	assert_non_null(json_object_get(json_object_get(schema, "properties"), "services"));
	json_decref(schema);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_complete),
		cmocka_unit_test(a_wrong_key_is_answered_with_a_hint),
		cmocka_unit_test(the_json_schema_is_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
