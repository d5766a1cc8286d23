/* handlers/common/date: HTTP's dates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "handlers/common/date.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	int64_t when;
	const char *text;
} dates[] = {
	{ 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
	{ 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },
	{ 951782400, "Tue, 29 Feb 2000 00:00:00 GMT" },
	{ 2147483648, "Tue, 19 Jan 2038 03:14:08 GMT" },
	{ -1, "Wed, 31 Dec 1969 23:59:59 GMT" },
	{ 253402300799, "Fri, 31 Dec 9999 23:59:59 GMT" },
};

/* Where time_t has 32 bits, some do not. */
static bool exists(int64_t when)
{
	return (time_t)when == when;
}

static void a_date_is_written_and_read_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(dates); i++) {
		const struct http_text date = { dates[i].text, strlen(dates[i].text) };
		char text[DATE_SIZE];
		time_t when;

		if (!exists(dates[i].when)) {
			assert_false(date_parse(date, &when));
			continue;
		}
		date_format(text, (time_t)dates[i].when);
		assert_string_equal(text, dates[i].text);
		assert_true(date_parse(date, &when));
		assert_int_equal(when, dates[i].when);
	}
}

static void a_time_beyond_four_digits_of_years_still_fits(void **state)
{
	char text[DATE_SIZE];

	(void)state;
	if (!exists(INT64_MAX))
		skip();
	date_format(text, (time_t)INT64_MAX);
	assert_string_equal(text, "Fri, 31 Dec 9999 23:59:59 GMT");
	date_format(text, (time_t)INT64_MIN);
	assert_int_equal(strlen(text), DATE_SIZE - 1);
}

static void what_is_no_such_date_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"Sun, 06 Nov 1994 08:49:37",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
		"Mon, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 Nov 1994 08:49:61 GMT",
		"Sun, 06 Nov 1994 24:00:00 GMT",
		"Wed, 30 Feb 2000 00:00:00 GMT",
		"Sun, 0x Nov 1994 08:49:37 GMT",
		"Sun, -6 Nov 1994 08:49:37 GMT",
	};
	time_t when;

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++)
		if (date_parse((struct http_text){ bad[i], strlen(bad[i]) }, &when))
			fail_msg("taken: %s", bad[i]);
	assert_false(date_parse((struct http_text){ NULL, 0 }, &when));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_date_is_written_and_read_back),
		cmocka_unit_test(a_time_beyond_four_digits_of_years_still_fits),
		cmocka_unit_test(what_is_no_such_date_is_refused),
	};

	return cmocka_run_group_tests_name("handlers/common/date", tests, NULL, NULL);
}
