#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/model/bucket.h"
#include "daemon/model/sources.h"

static const uint64_t hash_key[2] = { 1, 2 };

static struct acl_key key(uint32_t n)
{
	return acl_key_of_id(ACL_IPV4, n);
}

static void a_source_is_found_again_and_apart_from_others(void **state)
{
	struct sources *t = sources_new(hash_key, 100);
	struct acl_key k = key(1), other = key(2);
	struct source *s = sources_get(t, &k, 7);

	(void)state;
	assert_ptr_equal(sources_get(t, &k, 7), s);
	assert_ptr_not_equal(sources_get(t, &k, 8), s);
	assert_ptr_not_equal(sources_get(t, &other, 7), s);
	assert_int_equal(sources_count(t), 3);
	sources_free(t);
}

static void h34_a_sweep_of_addresses_does_not_grow_the_table(void **state)
{
	struct sources *t = sources_new(hash_key, 1000);

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++) {
		struct acl_key k = key(i);

		sources_get(t, &k, 0);
	}
	assert_int_equal(sources_count(t), 1000);
	assert_int_equal(sources_resting(t), 1000);
	sources_free(t);
}

static void h34_a_source_with_live_handlers_is_never_forgotten(void **state)
{
	struct sources *t = sources_new(hash_key, 10);
	struct acl_key k = key(42);
	struct source *s = sources_get(t, &k, 0);

	(void)state;
	s->live = 1;
	sources_touch(t, s);
	for (uint32_t i = 1000; i < 2000; i++) {
		struct acl_key sweep = key(i);

		sources_get(t, &sweep, 0);
	}
	assert_ptr_equal(sources_get(t, &k, 0), s);
	assert_int_equal(sources_count(t), 11);
	s->live = 0;
	sources_touch(t, s);
	for (uint32_t i = 1000; i < 2000; i++) {
		struct acl_key sweep = key(i);

		sources_get(t, &sweep, 0);
	}
	assert_int_equal(sources_count(t), 10);
	sources_free(t);
}

static void the_one_that_rested_longest_is_forgotten_first(void **state)
{
	struct sources *t = sources_new(hash_key, 2);
	struct acl_key a = key(1), b = key(2), c = key(3);
	struct source *kept;

	(void)state;
	sources_get(t, &a, 0)->refused = 11;
	kept = sources_get(t, &b, 0);
	sources_get(t, &a, 0);
	kept->refused = 22;
	sources_get(t, &c, 0);
	assert_int_equal(sources_get(t, &a, 0)->refused, 11);
	sources_free(t);
}

static void a_bucket_gives_its_burst_at_once_and_then_its_rate(void **state)
{
	const struct rate r = { .interval_us = 1000, .burst = 5 };
	struct bucket b = { 0 };
	uint64_t now = 1000000;
	int got = 0;

	(void)state;
	for (int i = 0; i < 20; i++)
		got += bucket_take(&b, &r, now);
	assert_int_equal(got, 5);
	assert_int_equal(bucket_wait_us(&b, &r, now), 1000);
	for (int i = 0; i < 100; i++)
		got += bucket_take(&b, &r, now += 500);
	assert_int_equal(got, 5 + 50);
	assert_true(bucket_take(&b, &r, now + 1000000));
	assert_int_equal(bucket_wait_us(&b, &r, now + 1000000), 0);
}

static void no_rate_is_no_limit(void **state)
{
	const struct rate r = { 0 };
	struct bucket b = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true(bucket_take(&b, &r, 5));
	assert_int_equal(bucket_wait_us(&b, &r, 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_is_found_again_and_apart_from_others),
		cmocka_unit_test(h34_a_sweep_of_addresses_does_not_grow_the_table),
		cmocka_unit_test(h34_a_source_with_live_handlers_is_never_forgotten),
		cmocka_unit_test(the_one_that_rested_longest_is_forgotten_first),
		cmocka_unit_test(a_bucket_gives_its_burst_at_once_and_then_its_rate),
		cmocka_unit_test(no_rate_is_no_limit),
	};

	return cmocka_run_group_tests_name("sources", tests, NULL, NULL);
}
