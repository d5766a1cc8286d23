/* duration: what the handlers' options take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "handlers/common/duration.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define DAY UINT64_C(86400000)

static void each_unit_is_known(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} row[] = {
		{ "0", 0 },
		{ "7", 7000 },
		{ "250ms", 250 },
		{ "30s", 30000 },
		{ "5m", 300000 },
		{ "2h", 7200000 },
		{ "1d", DAY },
		{ "86400", DAY },
		{ "007s", 7000 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(row); i++) {
		uint64_t ms = 1;

		assert_true(duration_parse(row[i].text, DAY, &ms));
		assert_int_equal(ms, row[i].ms);
	}
}

static void what_is_none_is_refused(void **state)
{
	static const char *const row[] = { "", "s", "-1", "+1", " 1", "1 s", "1s ", "1.5s", "1x",
		"1S", "ms", "2d", "86401", "86400001ms", "18446744073709551616",
		"99999999999999999999999999h" };

	(void)state;
	for (size_t i = 0; i < LEN(row); i++) {
		uint64_t ms = 4711;

		assert_false(duration_parse(row[i], DAY, &ms));
		assert_int_equal(ms, 4711);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_unit_is_known),
		cmocka_unit_test(what_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
