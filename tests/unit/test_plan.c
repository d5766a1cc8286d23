/* daemon/model/plan: which steps a child takes, and their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/model/plan.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(s) (UINT32_C(1) << (s))
#define ALWAYS                                                                                     \
	(BIT(STEP_SESSION) | BIT(STEP_STDIN) | BIT(STEP_STDOUT) | BIT(STEP_STDERR) |               \
		BIT(STEP_SIGNALS) | BIT(STEP_EXEC))
#define IDENTITY (BIT(STEP_GROUPS) | BIT(STEP_GID) | BIT(STEP_UID))
#define ROOT_OF_27                                                                                 \
	{                                                                                          \
		.groups = one_group, .groups_count = 1                                             \
	}

static const struct limit one_limit[1];
static const gid_t one_group[] = { 27 };

static const struct {
	const char *what;
	struct service service;
	struct host host;
	uint32_t more; /* than ALWAYS */
} cases[] = {
	{ "the smallest", { .directory = "/", .umask = 022 }, { .umask = 022, .close_range = true },
		BIT(STEP_PRUNE) },
	{ "a kernel without close_range", { .directory = "/" }, { .close_range = false }, 0 },
	{ "a raised limit goes back", { .directory = "/" }, { .nofile_raised = true },
		BIT(STEP_NOFILE) },
	{ "limits", { .directory = "/", .limits = one_limit, .limits_count = 1 }, { 0 },
		BIT(STEP_LIMITS) },
	{ "nice", { .directory = "/", .nice = -5 }, { 0 }, BIT(STEP_NICE) },
	{ "another umask", { .directory = "/", .umask = 077 }, { .umask = 022 }, BIT(STEP_UMASK) },
	{ "a chroot", { .directory = "/", .chroot = "/srv" }, { 0 },
		BIT(STEP_CHROOT) | BIT(STEP_ROOT) },
	{ "a directory", { .directory = "/srv" }, { 0 }, BIT(STEP_DIRECTORY) },
	{ "root becomes somebody",
		{ .directory = "/", .identity = { .set = true, .uid = 7, .gid = 8 } },
		{ .root = true, .identity = ROOT_OF_27 }, IDENTITY },
	{ "root becomes somebody of root's own group",
		{ .directory = "/", .identity = { .set = true, .uid = 7 } },
		{ .root = true, .identity = ROOT_OF_27 }, BIT(STEP_GROUPS) | BIT(STEP_UID) },
	{ "root takes another group", { .directory = "/", .identity = { .set = true, .gid = 8 } },
		{ .root = true }, BIT(STEP_GID) },
	{ "root stays root and still drops groups", { .directory = "/", .identity.set = true },
		{ .root = true, .identity = ROOT_OF_27 }, BIT(STEP_GROUPS) },
	{ "root that is this root already changes nothing",
		{ .directory = "/",
			.identity = { .set = true, .groups = one_group, .groups_count = 1 } },
		{ .root = true, .identity = ROOT_OF_27 }, 0 },
	{ "an ordinary user stays what he is", { .directory = "/", .identity.set = true }, { 0 },
		0 },
	{ "the sockets of mode wait", { .directory = "/", .wait = true }, { 0 },
		BIT(STEP_REPORT) | BIT(STEP_LISTEN) },
	{ "no new privileges", { .directory = "/", .no_new_privs = true }, { 0 },
		BIT(STEP_NO_NEW_PRIVS) },
};

static void a_service_needs_these_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		uint32_t got = plan_steps(&cases[i].service, &cases[i].host, false);

		if (got != (ALWAYS | cases[i].more))
			fail_msg("%s: %#x instead of %#x", cases[i].what, got,
				ALWAYS | cases[i].more);
		assert_int_equal(
			plan_steps(&cases[i].service, &cases[i].host, true), got | BIT(STEP_FILES));
	}
}

static void the_order_is_the_security_property(void **state)
{
	static const enum step order[] = { STEP_STDIN, STEP_STDOUT, STEP_STDERR, STEP_REPORT,
		STEP_LISTEN, STEP_PRUNE, STEP_LIMITS, STEP_CHROOT, STEP_ROOT, STEP_GROUPS, STEP_GID,
		STEP_UID, STEP_DIRECTORY, STEP_NO_NEW_PRIVS, STEP_SIGNALS, STEP_EXEC };

	(void)state;
	for (size_t i = 1; i < LEN(order); i++)
		assert_true(order[i - 1] < order[i]);
	assert_int_equal(STEP_EXEC, STEP_COUNT - 1);
	assert_true(STEP_FILES < STEP_STDIN);
	assert_true(STEP_SESSION < STEP_UID);
	assert_true(STEP_COUNT <= 32);
}

static void every_step_has_the_name_of_its_call(void **state)
{
	(void)state;
	for (int i = 0; i < STEP_COUNT; i++)
		assert_true(strlen(plan_step_name((enum step)i)) > 3);
	assert_string_equal(plan_step_name(STEP_EXEC), "execve");
	assert_string_equal(plan_step_name(STEP_COUNT), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_needs_these_steps),
		cmocka_unit_test(the_order_is_the_security_property),
		cmocka_unit_test(every_step_has_the_name_of_its_call),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
