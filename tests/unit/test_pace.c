/* daemon/model/pace: one a second, and a count of the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/model/pace.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* One story: at this time, is it told, and how many were not before it? */
static const struct {
	uint64_t now_ms;
	bool told;
	uint32_t silent;
} story[] = {
	{ 0, true, 0 },
	{ 0, false, 0 },
	{ 500, false, 0 },
	{ 999, false, 0 },
	{ 1000, true, 3 },
	{ 1001, false, 0 },
	{ 9000, true, 1 },
	{ 9999, false, 0 },
	{ 10000, true, 1 },
	{ 20000, true, 0 },
};

static void one_a_second_is_told_and_the_rest_is_counted(void **state)
{
	struct pace p = { 0 };

	(void)state;
	for (size_t i = 0; i < LEN(story); i++) {
		uint32_t silent = 0;

		assert_int_equal(pace_take(&p, story[i].now_ms, &silent), story[i].told);
		assert_int_equal(silent, story[i].silent);
	}
}

static void a_flood_is_one_line_a_second(void **state)
{
	struct pace p = { 0 };
	uint32_t told = 0, counted = 0, silent;

	(void)state;
	for (uint64_t ms = 0; ms < 10000; ms++)
		for (int i = 0; i < 7; i++)
			if (pace_take(&p, ms, &silent)) {
				told++;
				counted += silent;
			}
	assert_int_equal(told, 10);
	assert_int_equal(told + counted + p.silent, 70000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_a_second_is_told_and_the_rest_is_counted),
		cmocka_unit_test(a_flood_is_one_line_a_second),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
