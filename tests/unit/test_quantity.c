/* Durations, sizes and rates. */
#include "daemon/model/quantity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

struct row {
	const char *text;
	uint64_t value;
	const char *wrong;
};

static const struct row durations[] = {
	{ "0", 0, NULL },
	{ "5", 5000, NULL },
	{ "5s", 5000, NULL },
	{ "250ms", 250, NULL },
	{ "1.5s", 1500, NULL },
	{ "0.001", 1, NULL },
	{ "5m", 300000, NULL },
	{ "2h", 7200000, NULL },
	{ "1d", 86400000, NULL },
	{ "0.5d", 43200000, NULL },
	{ "18446744073709551615ms", UINT64_MAX, NULL },
	{ "18446744073709551616ms", 0, "is too large" },
	{ "18446744073709551615s", 0, "is too large" },
	{ "213503982334d", 18446744073657600000u, NULL },
	{ "213503982335d", 0, "is too large" },
	{ "0.0005s", 0, "is finer than superd counts" },
	{ "1.5ms", 0, "is finer than superd counts" },
	{ "1.0000000001s", 0, "has too many digits behind the point" },
	{ "1.s", 0, "has no digit behind the point" },
	{ ".5s", 0, "does not begin with a number" },
	{ "-5s", 0, "must not be negative" },
	{ "", 0, "does not begin with a number" },
	{ "s", 0, "does not begin with a number" },
	{ "5S", 0, "has an unknown unit; known: ms, s, m, h, d" },
	{ "5 s", 0, "has an unknown unit; known: ms, s, m, h, d" },
	{ "1e3", 0, "has an unknown unit; known: ms, s, m, h, d" },
};

static const struct row sizes[] = {
	{ "0", 0, NULL },
	{ "512", 512, NULL },
	{ "64K", 65536, NULL },
	{ "1.5M", 1572864, NULL },
	{ "1.998046875T", (UINT64_C(1) << 41) - (UINT64_C(1) << 31), NULL },
	{ "1G", UINT64_C(1) << 30, NULL },
	{ "16777215T", UINT64_C(16777215) << 40, NULL },
	{ "16777216T", 0, "is too large" },
	{ "0.5", 0, "is finer than superd counts" },
	{ "0.3K", 0, "is finer than superd counts" },
	{ "0.999999999T", 0, "is finer than superd counts" },
	{ "64k", 0, "has an unknown unit; known: K, M, G, T" },
	{ "64KB", 0, "has an unknown unit; known: K, M, G, T" },
};

static void check(const struct row *rows, size_t n, const char *(*parse)(const char *, uint64_t *))
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value = 0;
		const char *wrong = parse(rows[i].text, &value);

		if (rows[i].wrong) {
			assert_non_null(wrong);
			assert_string_equal(wrong, rows[i].wrong);
		} else {
			assert_null(wrong);
			assert_true(value == rows[i].value);
		}
	}
}

static void durations_are_read(void **state)
{
	(void)state;
	check(durations, sizeof durations / sizeof *durations, quantity_duration);
}

static void sizes_are_read(void **state)
{
	(void)state;
	check(sizes, sizeof sizes / sizeof *sizes, quantity_size);
}

static void plain_numbers_are_seconds(void **state)
{
	uint64_t ms = 7;

	(void)state;
	assert_null(quantity_seconds(1.5, &ms));
	assert_int_equal(ms, 1500);
	assert_null(quantity_seconds(0.3, &ms));
	assert_int_equal(ms, 300);
	assert_string_equal(quantity_seconds(-1, &ms), "must not be negative");
	assert_string_equal(quantity_seconds(1e300, &ms), "is too large");
	assert_string_equal(quantity_seconds(1e-9, &ms), "is finer than superd counts");
	assert_non_null(quantity_seconds(0.0 / 0.0, &ms));
}

static const struct {
	const char *text;
	uint64_t interval_us;
	uint32_t burst;
	const char *wrong;
	const char *again; /* what is written for it; NULL: the same */
} rates[] = {
	{ "100/s", 10000, 100, NULL, NULL },
	{ "100", 10000, 100, NULL, "100/s" },
	{ "1", 1000000, 1, NULL, "1/s" },
	{ "7/s", 142857, 7, NULL, NULL },
	{ "30/m", 2000000, 30, NULL, NULL },
	{ "60/m", 1000000, 60, NULL, NULL },
	{ "30/m burst 10", 2000000, 10, NULL, NULL },
	{ "60/m burst 10", 1000000, 10, NULL, "1/s burst 10" },
	{ "1000/h", 3600000, 1000, NULL, NULL },
	{ "1/h", 3600000000, 1, NULL, NULL },
	{ "5 burst 50", 200000, 50, NULL, "5/s burst 50" },
	{ "1000000/s", 1, 1000000, NULL, NULL },
	{ "999999/s burst 1000000", 1, 1000000, NULL, "1000000/s" },
	{ "7/h burst 1000000", 514285714, 1000000, NULL, NULL },
	{ "0", 0, 0, NULL, NULL },
	{ "0/h burst 5", 0, 0, NULL, "0" },
	{ "1000001", 0, 0, "is more than a million", NULL },
	{ "1.5/s", 0, 0, "is no whole number; less than one a second is as in 30/m", NULL },
	{ "-1/s", 0, 0, "must not be negative", NULL },
	{ "", 0, 0, "does not begin with a number", NULL },
	{ "/s", 0, 0, "does not begin with a number", NULL },
	{ "5/", 0, 0, "has an unknown unit; known: s, m, h", NULL },
	{ "5/d", 0, 0, "has an unknown unit; known: s, m, h", NULL },
	{ "5/sm", 0, 0, "has an unknown unit; known: s, m, h", NULL },
	{ "5 /s", 0, 0, "is no rate; one is as 100/s, or 30/m burst 10", NULL },
	{ "25 30", 0, 0, "is no rate; one is as 100/s, or 30/m burst 10", NULL },
	{ "5/s burst", 0, 0, "is no rate; one is as 100/s, or 30/m burst 10", NULL },
	{ "5/s burst ", 0, 0, "has no whole number up to a million behind 'burst'", NULL },
	{ "5/s burst 1000001", 0, 0, "has no whole number up to a million behind 'burst'", NULL },
	{ "5/s burst 5 ", 0, 0, "has no whole number up to a million behind 'burst'", NULL },
	{ "5/s burst 0", 0, 0, "has a burst of 0, which lets nobody in", NULL },
};

static void rates_are_read_and_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		struct rate r = { 9, 9 };
		char out[QUANTITY_TEXT_MAX];
		const char *wrong = quantity_rate(rates[i].text, &r);

		if (rates[i].wrong) {
			assert_non_null(wrong);
			assert_string_equal(wrong, rates[i].wrong);
			continue;
		}
		assert_null(wrong);
		assert_int_equal(r.interval_us, rates[i].interval_us);
		assert_int_equal(r.burst, rates[i].burst);
		quantity_rate_text(&r, out);
		assert_string_equal(out, rates[i].again ? rates[i].again : rates[i].text);
	}
}

static void every_rate_that_is_written_is_the_same_rate(void **state)
{
	static const char *const units[] = { "s", "m", "h" };

	(void)state;
	for (unsigned i = 0; i < 60000; i++) {
		unsigned count = i < 20000 ? i / 3 + 1 : 1000000 - i / 3;
		char text[40], out[QUANTITY_TEXT_MAX];
		struct rate r, again;

		snprintf(text, sizeof text, "%u/%s burst %u", count, units[i % 3], i + 1);
		assert_null(quantity_rate(text, &r));
		assert_null(quantity_rate(quantity_rate_text(&r, out), &again));
		assert_int_equal(r.interval_us, again.interval_us);
		assert_int_equal(r.burst, again.burst);
	}
}

static void the_shortest_exact_text_is_written(void **state)
{
	char out[QUANTITY_TEXT_MAX];

	(void)state;
	assert_string_equal(quantity_duration_text(0, out), "0s");
	assert_string_equal(quantity_duration_text(250, out), "250ms");
	assert_string_equal(quantity_duration_text(5000, out), "5s");
	assert_string_equal(quantity_duration_text(90000, out), "90s");
	assert_string_equal(quantity_duration_text(86400000, out), "1d");
	assert_string_equal(quantity_duration_text(UINT64_MAX, out), "18446744073709551615ms");
	assert_string_equal(quantity_size_text(0, out), "0");
	assert_string_equal(quantity_size_text(65536, out), "64K");
	assert_string_equal(quantity_size_text(1000, out), "1000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_read),
		cmocka_unit_test(sizes_are_read),
		cmocka_unit_test(plain_numbers_are_seconds),
		cmocka_unit_test(rates_are_read_and_written),
		cmocka_unit_test(every_rate_that_is_written_is_the_same_rate),
		cmocka_unit_test(the_shortest_exact_text_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
