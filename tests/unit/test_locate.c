/* The tree of spots beside jansson's tree of values. */
#include "daemon/config/locate.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Walks both trees; every spot must be where its value is. */
static void check(const char *text, const struct spots *s, uint32_t spot, json_t *value)
{
	uint32_t child = s->list[spot].child;
	const char *key;
	json_t *item;
	size_t i;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		assert_int_equal(text[s->list[spot].value], '{');
		json_object_foreach (value, key, item) {
			assert_int_not_equal(child, NOWHERE);
			assert_int_equal(text[s->list[child].key], '"');
			if (!strpbrk(key, "\\\""))
				assert_memory_equal(
					text + s->list[child].key + 1, key, strlen(key));
			check(text, s, child, item);
			child = s->list[child].next;
		}
		assert_int_equal(child, NOWHERE);
		break;
	case JSON_ARRAY:
		assert_int_equal(text[s->list[spot].value], '[');
		json_array_foreach (value, i, item) {
			assert_int_not_equal(child, NOWHERE);
			assert_int_equal(s->list[child].key, NOWHERE);
			check(text, s, child, item);
			child = s->list[child].next;
		}
		assert_int_equal(child, NOWHERE);
		break;
	case JSON_INTEGER:
		assert_int_equal(
			strtoll(text + s->list[spot].value, NULL, 10), json_integer_value(value));
		break;
	default:
		assert_non_null(strchr("\"tfn-0123456789", text[s->list[spot].value]));
	}
}

static const char *const texts[] = {
	"{}",
	"[]",
	"[[],{},[[]]]",
	" { \"a\" : 1 , \"b\" : [ 2 , 3 , { \"c\" : 4 } ] , \"d\" : \"e\" } ",
	"{\"a\":{\"b\":{\"c\":1}},\"d\":[1,2,[3,[4]]],\"e\":null,\"f\":true,\"g\":-1.5e3}",
	"{\"a\\\"]}\":1,\"b\":\"}\\\\\",\"c\":2}",
	"{\"a\":1,\"b\":2,\"a\":3}",
	"{\"a\":{\"x\":1},\"b\":2,\"a\":{\"y\":2,\"z\":3},\"c\":4,\"a\":[5,6],\"b\":[7]}",
	"[{\"k\":1,\"k\":2},{\"k\":3,\"j\":4,\"k\":5,\"j\":6}]",
};

static void both_trees_have_one_shape(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		json_t *root = json_loads(texts[i], 0, NULL);
		struct spots s;

		assert_non_null(root);
		locate(texts[i], &s);
		check(texts[i], &s, 0, root);
		spots_free(&s);
		json_decref(root);
	}
}

static const struct {
	const char *text;
	struct duplicate list[4];
	size_t count;
} duplicates[] = {
	{ "{\"a\":1,\"b\":2}", { { 0 } }, 0 },
	{ "{\"a\":1,\"a\":2}", { { 1, 7 } }, 1 },
	{ "{\"a\":1,\"a\":2,\"a\":3}", { { 1, 7 }, { 1, 13 } }, 2 },
	{ "{\"a\":1,\"\\u0061\":2}", { { 1, 7 } }, 1 },
	{ "{\"a\":{\"a\":1},\"b\":{\"a\":2}}", { { 0 } }, 0 },
	{ "[{\"a\":1,\"a\":2}]", { { 2, 8 } }, 1 },
	{ "{\"//\":1,\"//\":2,\"// x\":3,\"// x\":4}", { { 0 } }, 0 },
	{ "{\"a\":1,\"ab\":2,\"\":3,\"\":4}", { { 14, 19 } }, 1 },
};

static void duplicate_keys_are_found_with_the_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof duplicates / sizeof *duplicates; i++) {
		struct spots s;

		locate(duplicates[i].text, &s);
		assert_int_equal(s.duplicates_count, duplicates[i].count);
		for (size_t j = 0; j < s.duplicates_count; j++) {
			assert_int_equal(s.duplicates[j].first, duplicates[i].list[j].first);
			assert_int_equal(s.duplicates[j].again, duplicates[i].list[j].again);
		}
		spots_free(&s);
	}
}

static void jansson_keeps_the_order_that_the_walk_relies_on(void **state)
{
	json_t *root = json_loads("{\"z\":1,\"a\":2,\"m\":3,\"z\":4}", 0, NULL);
	void *iter = json_object_iter(root);

	(void)state;
	assert_string_equal(json_object_iter_key(iter), "z");
	assert_int_equal(json_integer_value(json_object_iter_value(iter)), 4);
	iter = json_object_iter_next(root, iter);
	assert_string_equal(json_object_iter_key(iter), "a");
	iter = json_object_iter_next(root, iter);
	assert_string_equal(json_object_iter_key(iter), "m");
	json_decref(root);
}

static void many_keys_take_no_quadratic_time(void **state)
{
	size_t n = 200000, at = 0;
	char *text = malloc(n * 20);
	struct spots s;

	(void)state;
	text[at++] = '{';
	for (size_t i = 0; i < n; i++)
		at += (size_t)sprintf(text + at, "%s\"k%zu\":%zu", i ? "," : "", i % (n / 2), i);
	strcpy(text + at, "}");
	locate(text, &s);
	assert_int_equal(s.count, n + 1);
	assert_int_equal(s.duplicates_count, n / 2);
	spots_free(&s);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_trees_have_one_shape),
		cmocka_unit_test(duplicate_keys_are_found_with_the_first),
		cmocka_unit_test(jansson_keeps_the_order_that_the_walk_relies_on),
		cmocka_unit_test(many_keys_take_no_quadratic_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
