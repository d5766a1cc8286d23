/* handlers/common/mime: types by the end of a name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "handlers/common/mime.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const char table[] = "# text/wrong html\n"
			    "text/html\thtml htm\r\n"
			    "\n"
			    "application/gzip   gz\n"
			    "application/alone\n"
			    "noslash ns\n"
			    "a/\x01 ctl\n"
			    "text/later html\n"
			    "image/png png"; /* without a newline */

static const struct {
	const char *name, *type;
} cases[] = {
	{ "a.html", "text/html" },
	{ "a.htm", "text/html" },
	{ "A.HTML", "text/html" },
	{ "d.html/a.tar.gz", "application/gzip" },
	{ "a.png", "image/png" },
	{ "a.b", NULL },
	{ "a", NULL },
	{ "a.", NULL },
	{ "d.html/a", NULL },
	{ "a.ht", NULL },
	{ "a.htmlx", NULL },
	{ "a.ns", NULL },
	{ "a.ctl", NULL },
	{ "a.text/html", NULL },
	{ "", NULL },
};

static void each_name_has_its_type(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		char type[MIME_SIZE];
		bool found = mime_find(type, table, sizeof(table) - 1, cases[i].name);

		if (found != !!cases[i].type)
			fail_msg("%s: %s", cases[i].name, found ? "found" : "not found");
		if (found)
			assert_string_equal(type, cases[i].type);
	}
}

static void without_a_table_a_short_one_of_our_own_serves(void **state)
{
	char type[MIME_SIZE];

	(void)state;
	mime_lookup(type, "/nonexistent", "a.html");
	assert_string_equal(type, "text/html; charset=utf-8");
	mime_lookup(type, "/nonexistent", "a.svg");
	assert_string_equal(type, "image/svg+xml");
	mime_lookup(type, "/nonexistent", "a.unknown");
	assert_string_equal(type, "application/octet-stream");
}

static void a_table_that_can_be_read_is_the_only_one(void **state)
{
	char file[] = "/tmp/superd-mime-XXXXXX", type[MIME_SIZE];
	static const char text[] = "text/x;charset=koi8-r x\ntext/y y\n";
	int fd = mkstemp(file);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	mime_lookup(type, file, "a.x");
	assert_string_equal(type, "text/x;charset=koi8-r");
	mime_lookup(type, file, "a.y");
	assert_string_equal(type, "text/y; charset=utf-8");
	mime_lookup(type, file, "a.html");
	assert_string_equal(type, "application/octet-stream");
	close(fd);
	unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_name_has_its_type),
		cmocka_unit_test(without_a_table_a_short_one_of_our_own_serves),
		cmocka_unit_test(a_table_that_can_be_read_is_the_only_one),
	};

	return cmocka_run_group_tests_name("handlers/common/mime", tests, NULL, NULL);
}
