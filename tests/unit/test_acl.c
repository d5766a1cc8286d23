#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/model/acl.h"

static struct acl_prefix prefix(const char *text)
{
	struct acl_prefix p;

	assert_null(acl_parse(text, &p));
	return p;
}

static const struct {
	const char *text, *back; /* back NULL: refused */
} texts[] = {
	{ "10.0.0.0/8", "10.0.0.0/8" },
	{ "10.1.2.3", "10.1.2.3/32" },
	{ "0.0.0.0/0", "0.0.0.0/0" },
	{ "2001:db8::/32", "2001:db8::/32" },
	{ "::1", "::1/128" },
	{ "::ffff:10.0.0.0/104", "10.0.0.0/8" },
	{ "::ffff:10.1.2.3", "10.1.2.3/32" },
	{ "uid:1000", "uid:1000" },
	{ "gid:0", "gid:0" },
	{ "uid:4294967295", "uid:4294967295" },
	{ "10.0.0.1/8", NULL },
	{ "10.0.0.0/33", NULL },
	{ "2001:db8::1/32", NULL },
	{ "::/129", NULL },
	{ "10.0.0.0/", NULL },
	{ "10.0.0.0/ 8", NULL },
	{ "10.0.0.0/-1", NULL },
	{ "10.0.0", NULL },
	{ "localhost", NULL },
	{ "", NULL },
	{ "uid:", NULL },
	{ "uid:root", NULL },
	{ "uid:4294967296", NULL },
	{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NULL },
};

static void a_prefix_reads_back_as_it_was_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		char back[ACL_TEXT_MAX];
		struct acl_prefix p;
		const char *wrong = acl_parse(texts[i].text, &p);

		if (!texts[i].back) {
			assert_non_null(wrong);
			continue;
		}
		assert_null(wrong);
		assert_string_equal(acl_format(&p, back), texts[i].back);
	}
}

static enum acl_verdict ask(const struct acl *a, const char *address)
{
	struct acl_prefix p = prefix(address);

	return acl_match(a, &p.key, NULL);
}

static void the_longest_match_decides_and_deny_wins_a_tie(void **state)
{
	struct acl *a = acl_new();
	struct acl_prefix p, rule;
	char text[ACL_TEXT_MAX];

	(void)state;
	p = prefix("10.0.0.0/8");
	acl_add(a, &p, ACL_ALLOW);
	p = prefix("10.1.0.0/16");
	acl_add(a, &p, ACL_DENY);
	p = prefix("10.1.2.0/24");
	acl_add(a, &p, ACL_ALLOW);
	p = prefix("10.9.9.9");
	acl_add(a, &p, ACL_DENY);
	acl_add(a, &p, ACL_ALLOW);
	p = prefix("2001:db8::/32");
	acl_add(a, &p, ACL_DENY);
	p = prefix("uid:1000");
	acl_add(a, &p, ACL_ALLOW);

	assert_int_equal(acl_count(a), 7);
	assert_int_equal(ask(a, "10.200.0.1"), ACL_ALLOW);
	assert_int_equal(ask(a, "10.1.200.1"), ACL_DENY);
	assert_int_equal(ask(a, "10.1.2.200"), ACL_ALLOW);
	assert_int_equal(ask(a, "::ffff:10.1.2.200"), ACL_ALLOW);
	assert_int_equal(ask(a, "10.9.9.9"), ACL_DENY);
	assert_int_equal(ask(a, "11.0.0.1"), ACL_NONE);
	assert_int_equal(ask(a, "2001:db8:1::1"), ACL_DENY);
	assert_int_equal(ask(a, "2001:db9::1"), ACL_NONE);
	assert_int_equal(ask(a, "uid:1000"), ACL_ALLOW);
	assert_int_equal(ask(a, "uid:1001"), ACL_NONE);
	assert_int_equal(ask(a, "gid:1000"), ACL_NONE);

	p = prefix("10.1.3.4");
	assert_int_equal(acl_match(a, &p.key, &rule), ACL_DENY);
	assert_string_equal(acl_format(&rule, text), "10.1.0.0/16");
	acl_free(a);
}

/* ---- against a list that is searched from end to end */

static bool holds(const struct acl_prefix *p, const struct acl_key *k)
{
	for (unsigned i = 0; i < p->bits; i++)
		if ((p->key.bytes[i / 8] ^ k->bytes[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return p->key.kind == k->kind;
}

static enum acl_verdict slow_match(const struct acl_prefix *rules, const enum acl_verdict *verdicts,
	size_t n, const struct acl_key *k)
{
	enum acl_verdict best = ACL_NONE;
	int longest = -1;

	for (size_t i = 0; i < n; i++) {
		if (!holds(&rules[i], k) || rules[i].bits < longest)
			continue;
		if (rules[i].bits > longest || verdicts[i] == ACL_DENY)
			best = verdicts[i];
		longest = rules[i].bits;
	}
	return best;
}

/* Few different bits, so that prefixes lie inside each other. */
static struct acl_key random_key(uint8_t kind)
{
	struct acl_key k = { .kind = kind };

	for (int i = 0; i < (kind == ACL_IPV6 ? 16 : 4); i++)
		k.bytes[i] = random() % 3 ? 0 : (uint8_t)(random() % 4 * 64);
	return k;
}

static void the_trie_says_what_a_search_of_the_whole_list_says(void **state)
{
	enum { RULES = 60, ROUNDS = 200, QUESTIONS = 300 };

	(void)state;
	srandom(7);
	for (int round = 0; round < ROUNDS; round++) {
		uint8_t kind = round % 2 ? ACL_IPV6 : ACL_IPV4;
		struct acl_prefix rules[RULES];
		enum acl_verdict verdicts[RULES];
		struct acl *a = acl_new();
		size_t n = (size_t)random() % RULES + 1;

		for (size_t i = 0; i < n; i++) {
			struct acl_key k = random_key(kind);
			uint8_t bits = (uint8_t)(random() % (kind == ACL_IPV6 ? 129 : 33));

			rules[i] = acl_source(&k, bits, bits);
			verdicts[i] = random() % 2 ? ACL_ALLOW : ACL_DENY;
			acl_add(a, &rules[i], verdicts[i]);
		}
		for (int q = 0; q < QUESTIONS; q++) {
			struct acl_key k = random_key(kind);

			assert_int_equal(
				acl_match(a, &k, NULL), slow_match(rules, verdicts, n, &k));
		}
		acl_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prefix_reads_back_as_it_was_written),
		cmocka_unit_test(the_longest_match_decides_and_deny_wins_a_tie),
		cmocka_unit_test(the_trie_says_what_a_search_of_the_whole_list_says),
	};

	return cmocka_run_group_tests_name("acl", tests, NULL, NULL);
}
