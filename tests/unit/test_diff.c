/* daemon/model/diff: which addresses a reload keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/model/diff.h"

#define MANY 8

struct side {
	const char *text, *service;
};

/* Each `old` is said which of `new` it becomes. */
static const struct {
	struct side old[MANY], new[MANY];
	int becomes[MANY];
} cases[] = {
	{ { { "10.0.0.1:80", "a" } }, { { "10.0.0.1:80", "a" } }, { 0 } },
	/* Whichever service has it. */
	{ { { "10.0.0.1:80", "a" } }, { { "10.0.0.1:80", "b" } }, { 0 } },
	/* In another order, with others between them. */
	{ { { "10.0.0.1:80", "a" }, { "[::1]:80", "a" }, { "unix:/s", "b" } },
		{ { "unix:/s", "x" }, { "10.0.0.2:80", "y" }, { "10.0.0.1:80", "z" } },
		{ 2, -1, 0 } },
	/* All addresses and one of them are two sockets; so are IPv4 and both families. */
	{ { { "7000", "a" } }, { { "127.0.0.1:7000", "a" } }, { -1 } },
	{ { { "0.0.0.0:7000", "a" } }, { { "7000", "a" } }, { -1 } },
	/* A path and an abstract name are two. */
	{ { { "unix:@/s", "a" } }, { { "unix:/s", "a" } }, { -1 } },
	/* Port 0 stays with its service, one by one. */
	{ { { "10.0.0.1:0", "a" } }, { { "10.0.0.1:0", "b" } }, { -1 } },
	{ { { "10.0.0.1:0", "a" }, { "10.0.0.1:0", "a" }, { "10.0.0.1:0", "b" } },
		{ { "10.0.0.1:0", "b" }, { "10.0.0.1:0", "a" } }, { 1, -1, 0 } },
	/* Nothing is left, and nothing was there. */
	{ { { "10.0.0.1:80", "a" } }, { { 0 } }, { -1 } },
	{ { { 0 } }, { { "10.0.0.1:80", "a" } }, { -1 } },
};

static void take(const struct addr *a, void *out)
{
	*(struct addr *)out = *a;
}

static size_t fill(const struct side *side, struct addr *addrs, struct diff_item *items)
{
	char why[100];
	size_t n = 0;

	for (; n < MANY && side[n].text; n++) {
		assert_null(addr_parse(side[n].text, take, &addrs[n], why, sizeof why));
		items[n] = (struct diff_item){ &addrs[n], side[n].service, n, 0 };
	}
	return n;
}

static void what_is_wanted_again_is_paired(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct addr old_addrs[MANY], new_addrs[MANY];
		struct diff_item old[MANY], new[MANY];
		size_t olds = fill(cases[i].old, old_addrs, old);
		size_t news = fill(cases[i].new, new_addrs, new);
		size_t pairs = 0;

		diff_pair(old, olds, new, news);
		for (size_t k = 0; k < olds; k++) {
			int becomes = cases[i].becomes[old[k].index];

			assert_int_equal(old[k].match, becomes < 0 ? DIFF_NONE : (size_t)becomes);
			pairs += becomes >= 0;
		}
		for (size_t k = 0; k < news; k++) {
			if (new[k].match == DIFF_NONE)
				continue;
			assert_int_equal(cases[i].becomes[new[k].match], new[k].index);
			pairs--;
		}
		assert_int_equal(pairs, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wanted_again_is_paired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
