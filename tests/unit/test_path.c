/* handlers/common/path: names of files from requests, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "handlers/common/path.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *path;
	int status;
	const char *name;
} cases[] = {
	{ "/", 0, "" },
	{ "///", 0, "" },
	{ "/a", 0, "a" },
	{ "/a/", 0, "a/" },
	{ "//evil.example/", 0, "evil.example/" },
	{ "/a//b", 0, "a/b" },
	{ "/a%20b", 0, "a b" },
	{ "/%41%7e", 0, "A~" },
	{ "/%c3%a9", 0, "\xc3\xa9" },
	{ "/a+b", 0, "a+b" },
	{ "/%2525", 0, "%25" },
	{ "/a.b", 0, "a.b" },
	{ "/a..", 0, "a.." },
	{ "/\\..\\x", 0, "\\..\\x" },
	{ "/.well-known", 0, ".well-known" },
	{ "/.well-known/x", 0, ".well-known/x" },

	{ "/%", 400, NULL },
	{ "/%4", 400, NULL },
	{ "/%zz", 400, NULL },
	{ "/%4g", 400, NULL },
	{ "/%00", 400, NULL },
	{ "/a%00.html", 400, NULL },
	{ "/%0d%0aX:", 400, NULL },
	{ "/%1f", 400, NULL },
	{ "/%7f", 400, NULL },

	{ "/.", 404, NULL },
	{ "/..", 404, NULL },
	{ "/../", 404, NULL },
	{ "/../etc/passwd", 404, NULL },
	{ "/a/../b", 404, NULL },
	{ "/a/./b", 404, NULL },
	{ "/%2e%2e/etc/passwd", 404, NULL },
	{ "/%2E%2e%2fetc", 404, NULL },
	{ "/..%2fetc", 404, NULL },
	{ "/a%2fb", 404, NULL },
	{ "/%2fetc/passwd", 404, NULL },
	{ "/.git/config", 404, NULL },
	{ "/%2egit/config", 404, NULL },
	{ "/a/.hidden", 404, NULL },
	{ "//.hidden", 404, NULL },
	{ "/a/.well-known/x", 404, NULL },
	{ "/.well-known/.x", 404, NULL },
	{ "/.well-known/../x", 404, NULL },
	{ "/.well-knownx", 404, NULL },
	{ "/.well-known%2fx", 404, NULL },
};

static void each_path_becomes_a_name_or_a_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct http_text path = { cases[i].path, strlen(cases[i].path) };
		char name[64];
		int status = path_decode(name, sizeof(name), path);

		if (status != cases[i].status)
			fail_msg("%s: %d instead of %d", cases[i].path, status, cases[i].status);
		if (status == 0)
			assert_string_equal(name, cases[i].name);
	}
}

static void a_name_that_does_not_fit_is_too_long(void **state)
{
	char name[4];

	(void)state;
	assert_int_equal(path_decode(name, sizeof(name), (struct http_text){ "/abc", 4 }), 0);
	assert_int_equal(path_decode(name, sizeof(name), (struct http_text){ "/abcd", 5 }), 414);
	assert_int_equal(path_decode(name, 0, (struct http_text){ "/", 1 }), 414);
}

static void what_is_not_plain_is_escaped(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(path_encode(out, sizeof(out), "a b/\\<\"%?#\xc3\xa9~"), 31);
	assert_string_equal(out, "a%20b/%5C%3C%22%25%3F%23%C3%A9~");
}

static void an_escaped_name_that_does_not_fit_is_refused(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(path_encode(out, sizeof(out), "ab"), 2);
	assert_int_equal(path_encode(out, sizeof(out), "\x01\x01\x01"), 0);
	assert_int_equal(path_encode(out, sizeof(out), "abcdefgh"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_path_becomes_a_name_or_a_status),
		cmocka_unit_test(a_name_that_does_not_fit_is_too_long),
		cmocka_unit_test(what_is_not_plain_is_escaped),
		cmocka_unit_test(an_escaped_name_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests_name("handlers/common/path", tests, NULL, NULL);
}
