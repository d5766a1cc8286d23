/* daemon/model/env: the variables of a connection. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/model/env.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define TCP6 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1]:65535"

/* What is known of a connection, and what the handler is told, in this order. */
static const struct {
	const char *remote, *local; /* NULL: not known */
	bool credentials;
	const char *want[12];
} cases[] = {
	{ "127.0.0.1:40000", "127.0.0.1:7000", false,
		{ "PROTO=TCP", "TCPREMOTEIP=127.0.0.1", "TCPREMOTEPORT=40000",
			"REMOTE_ADDR=127.0.0.1", "REMOTE_PORT=40000", "TCPLOCALIP=127.0.0.1",
			"TCPLOCALPORT=7000", "SERVER_ADDR=127.0.0.1", "SERVER_PORT=7000" } },
	{ "[::1]:40000", "[::1]:7000", false,
		{ "PROTO=TCP", "TCPREMOTEIP=::1", "TCPREMOTEPORT=40000", "REMOTE_ADDR=::1",
			"REMOTE_PORT=40000", "TCPLOCALIP=::1", "TCPLOCALPORT=7000",
			"SERVER_ADDR=::1", "SERVER_PORT=7000" } },
	{ "[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:2", false,
		{ "PROTO=TCP", "TCPREMOTEIP=192.0.2.1", "TCPREMOTEPORT=1", "REMOTE_ADDR=192.0.2.1",
			"REMOTE_PORT=1", "TCPLOCALIP=192.0.2.2", "TCPLOCALPORT=2",
			"SERVER_ADDR=192.0.2.2", "SERVER_PORT=2" } },
	{ NULL, "127.0.0.1:7000", false,
		{ "PROTO=TCP", "TCPLOCALIP=127.0.0.1", "TCPLOCALPORT=7000", "SERVER_ADDR=127.0.0.1",
			"SERVER_PORT=7000" } },
	{ NULL, NULL, false, { "PROTO=TCP" } },
	{ "unix:@peer", "unix:/run/x.sock", true,
		{ "PROTO=IPC", "IPCREMOTEEUID=4294967294", "IPCREMOTEEGID=1001",
			"IPCREMOTEPID=4711" } },
	{ NULL, "unix:/run/x.sock", false, { "PROTO=IPC" } },
	{ "seqpacket:@peer", "seqpacket:/run/x.sock", true,
		{ "PROTO=IPC", "IPCREMOTEEUID=4294967294", "IPCREMOTEEGID=1001",
			"IPCREMOTEPID=4711" } },
	{ NULL, "dgram:/run/x.sock", false, { "PROTO=IPC" } },
	{ "udp:127.0.0.1:40000", "udp:127.0.0.5:69", false,
		{ "PROTO=UDP", "UDPREMOTEIP=127.0.0.1", "UDPREMOTEPORT=40000",
			"REMOTE_ADDR=127.0.0.1", "REMOTE_PORT=40000", "UDPLOCALIP=127.0.0.5",
			"UDPLOCALPORT=69", "SERVER_ADDR=127.0.0.5", "SERVER_PORT=69" } },
	{ NULL, "udp:[::1]:69", false,
		{ "PROTO=UDP", "UDPLOCALIP=::1", "UDPLOCALPORT=69", "SERVER_ADDR=::1",
			"SERVER_PORT=69" } },
	{ NULL, "vsock:70000", false, { "PROTO=VSOCK", "VSOCKLOCALPORT=70000" } },
};

static void keep(const struct addr *a, void *context)
{
	*(struct addr *)context = *a;
}

static struct addr address(const char *text)
{
	struct addr a = { .kind = ADDR_TCP, .len = 0 };
	char why[200];

	if (text)
		assert_null(addr_parse(text, keep, &a, why, sizeof why));
	return a;
}

static bool has(const char *const *envp, const char *entry)
{
	for (; *envp; envp++)
		if (strcmp(*envp, entry) == 0)
			return true;
	return false;
}

static struct ends ends_of(const char *remote, const char *local, bool credentials)
{
	return (struct ends){ .remote = address(remote),
		.local = address(local),
		.credentials = credentials,
		.pid = 4711,
		.uid = (uid_t)-2,
		.gid = 1001 };
}

static void a_connection_becomes_its_variables_and_no_others(void **state)
{
	static const char *const own[] = { "PATH=/bin", "SUPERD_SERVICE=x" };
	const struct service s = { .name = "x", .env = own, .env_count = LEN(own) };

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct ends e = ends_of(cases[i].remote, cases[i].local, cases[i].credentials);
		const char *envp[LEN(own) + ENV_CONN_MAX + 1];
		char *text = malloc(ENV_TEXT_MAX);
		size_t n = env_build(&s, UINT64_MAX, &e, text, envp), want = 0;

		for (; cases[i].want[want]; want++)
			assert_true(has(envp, cases[i].want[want]));
		assert_true(has(envp, "PATH=/bin"));
		assert_true(has(envp, "SUPERD_SERVICE=x"));
		assert_true(has(envp, "SUPERD_CONN=18446744073709551615"));
		assert_int_equal(n, want + 3);
		assert_null(envp[n]);
		free(text);
	}
}

static void a_vsock_has_numbers(void **state)
{
	const struct service s = { .name = "x", .env = (const char *const[]){ NULL } };
	struct ends e = ends_of("vsock:1000", "vsock:70000", false);
	const char *envp[ENV_CONN_MAX + 1];
	char text[ENV_TEXT_MAX];

	(void)state;
	e.remote.vm.svm_cid = 3;
	e.local.vm.svm_cid = 2;
	env_build(&s, 1, &e, text, envp);
	assert_true(has(envp, "VSOCKREMOTECID=3"));
	assert_true(has(envp, "VSOCKREMOTEPORT=1000"));
	assert_true(has(envp, "VSOCKLOCALCID=2"));
	assert_true(has(envp, "VSOCKLOCALPORT=70000"));
}

static void the_longest_addresses_fit(void **state)
{
	const struct service s = { .name = "x", .env = (const char *const[]){ NULL } };
	struct ends e = ends_of(TCP6, TCP6, false);
	const char **envp = calloc(ENV_CONN_MAX + 1, sizeof *envp);
	char *text = malloc(ENV_TEXT_MAX); /* the sanitizer watches its end */
	size_t n;

	(void)state;
	n = env_build(&s, UINT64_MAX, &e, text, envp);
	assert_in_range(n, 1, ENV_CONN_MAX);
	assert_true(has(envp, "REMOTE_ADDR=ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1"));
	assert_true(has(envp, "SERVER_PORT=65535"));
	free(text);
	free(envp);
}

static void no_variable_is_there_twice(void **state)
{
	const struct service s = { .name = "x", .env = (const char *const[]){ NULL } };
	struct ends e = ends_of("127.0.0.1:1", "127.0.0.1:2", false);
	const char *envp[ENV_CONN_MAX + 1];
	char text[ENV_TEXT_MAX];
	size_t n = env_build(&s, 1, &e, text, envp);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(
				strncmp(envp[i], envp[k], strcspn(envp[i], "=") + 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_becomes_its_variables_and_no_others),
		cmocka_unit_test(a_vsock_has_numbers),
		cmocka_unit_test(the_longest_addresses_fit),
		cmocka_unit_test(no_variable_is_there_twice),
	};

	return cmocka_run_group_tests_name("env", tests, NULL, NULL);
}
