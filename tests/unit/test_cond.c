/* handlers/common/cond: 200, 206, 304, 412 or 416. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "handlers/common/cond.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define CHANGED "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct cond_state file = { "\"tag\"", 784111777, 100 };

static void parse(struct http_request *r, const char *fields)
{
	static char head[1024];
	int len = snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", fields);

	http_init(r);
	assert_int_equal(http_parse(r, head, (size_t)len), HTTP_DONE);
}

static const struct {
	const char *fields;
	int status;
} conditions[] = {
	{ "X: y", 200 },
	{ "If-None-Match: \"tag\"", 304 },
	{ "If-None-Match: W/\"tag\"", 304 },
	{ "If-None-Match: \"a\", \"tag\"", 304 },
	{ "If-None-Match: *", 304 },
	{ "If-None-Match: \"other\"", 200 },
	{ "If-None-Match: tag", 200 },
	{ "If-None-Match: \"TAG\"", 200 },
	{ "If-Modified-Since: " CHANGED, 304 },
	{ "If-Modified-Since: " AFTER, 304 },
	{ "If-Modified-Since: " BEFORE, 200 },
	{ "If-Modified-Since: yesterday", 200 },
	{ "If-Modified-Since: " AFTER "\r\nIf-None-Match: \"other\"", 200 },
	{ "If-Modified-Since: " BEFORE "\r\nIf-None-Match: \"tag\"", 304 },
	{ "If-Match: \"tag\"", 200 },
	{ "If-Match: *", 200 },
	{ "If-Match: \"other\"", 412 },
	{ "If-Match: W/\"tag\"", 412 },
	{ "If-Unmodified-Since: " CHANGED, 200 },
	{ "If-Unmodified-Since: " BEFORE, 412 },
	{ "If-Unmodified-Since: " BEFORE "\r\nIf-Match: \"tag\"", 200 },
	{ "If-Match: \"other\"\r\nIf-None-Match: \"tag\"", 412 },
};

static void each_condition_has_its_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(conditions); i++) {
		struct http_request r;

		parse(&r, conditions[i].fields);
		if (cond_check(&r, &file) != conditions[i].status)
			fail_msg("%s: not %d", conditions[i].fields, conditions[i].status);
	}
}

static const struct {
	const char *fields;
	int status;
	unsigned first, len;
} ranges[] = {
	{ "X: y", 200, 0, 100 },
	{ "Range: bytes=0-0", 206, 0, 1 },
	{ "Range: bytes=0-99", 206, 0, 100 },
	{ "Range: bytes=10-19", 206, 10, 10 },
	{ "Range: BYTES=10-19", 206, 10, 10 },
	{ "Range: bytes=99-", 206, 99, 1 },
	{ "Range: bytes=90-1000", 206, 90, 10 },
	{ "Range: bytes=90-99999999999999999999999999", 206, 90, 10 },
	{ "Range: bytes=-1", 206, 99, 1 },
	{ "Range: bytes=-100", 206, 0, 100 },
	{ "Range: bytes=-1000", 206, 0, 100 },
	{ "Range: bytes=100-", 416, 0, 100 },
	{ "Range: bytes=100-200", 416, 0, 100 },
	{ "Range: bytes=99999999999999999999999999-", 416, 0, 100 },
	{ "Range: bytes=-0", 416, 0, 100 },
	{ "Range: bytes=", 200, 0, 100 },
	{ "Range: bytes=-", 200, 0, 100 },
	{ "Range: bytes=5", 200, 0, 100 },
	{ "Range: bytes=9-5", 200, 0, 100 },
	{ "Range: bytes=0-1,5-6", 200, 0, 100 },
	{ "Range: bytes=0-1-2", 200, 0, 100 },
	{ "Range: bytes= 0-1", 200, 0, 100 },
	{ "Range: bytes=a-b", 200, 0, 100 },
	{ "Range: lines=0-1", 200, 0, 100 },
	{ "Range: bytes=0-0\r\nIf-Range: \"tag\"", 206, 0, 1 },
	{ "Range: bytes=0-0\r\nIf-Range: " CHANGED, 206, 0, 1 },
	{ "Range: bytes=0-0\r\nIf-Range: W/\"tag\"", 200, 0, 100 },
	{ "Range: bytes=0-0\r\nIf-Range: \"other\"", 200, 0, 100 },
	{ "Range: bytes=0-0\r\nIf-Range: " AFTER, 200, 0, 100 },
};

static void each_range_has_its_part(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(ranges); i++) {
		struct http_request r;
		uint64_t first, len;
		int status;

		parse(&r, ranges[i].fields);
		status = cond_range(&r, &file, &first, &len);
		if (status != ranges[i].status || first != ranges[i].first || len != ranges[i].len)
			fail_msg("%s: %d from %u, %u bytes", ranges[i].fields, status,
				(unsigned)first, (unsigned)len);
	}
}

static void nothing_of_an_empty_file_can_be_a_range(void **state)
{
	const struct cond_state empty = { "\"tag\"", 0, 0 };
	uint64_t first, len;
	struct http_request r;

	(void)state;
	parse(&r, "Range: bytes=0-");
	assert_int_equal(cond_range(&r, &empty, &first, &len), 416);
	parse(&r, "Range: bytes=-5");
	assert_int_equal(cond_range(&r, &empty, &first, &len), 416);
	parse(&r, "X: y");
	assert_int_equal(cond_range(&r, &empty, &first, &len), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_condition_has_its_answer),
		cmocka_unit_test(each_range_has_its_part),
		cmocka_unit_test(nothing_of_an_empty_file_can_be_a_range),
	};

	return cmocka_run_group_tests_name("handlers/common/cond", tests, NULL, NULL);
}
