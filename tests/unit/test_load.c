/* From a text to a configuration: what each key becomes.  Complaints are tested with tests/data. */
#include "daemon/config/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Everything runs as who we are, root or not. */
#define ME "\"user\": %u"

static struct config *load(const char *keys)
{
	struct complaints complaints = { 0 };
	struct config *c;
	char text[4096];

	snprintf(text, sizeof text,
		"{ \"services\": { \"x\": { \"listen\": \"7000\", " ME ", %s } } }",
		(unsigned)geteuid(), keys);
	c = load_text("/etc/superd/test.json", text, strlen(text), &complaints);
	complaints_print(&complaints, stderr);
	complaints_free(&complaints);
	return c;
}

static const char *env_of(const struct service *s, const char *name)
{
	size_t n = strlen(name);
	const char *found = NULL;

	for (size_t i = 0; i < s->env_count; i++) {
		if (strncmp(s->env[i], name, n) == 0 && s->env[i][n] == '=') {
			assert_null(found); /* no variable is there twice */
			found = s->env[i] + n + 1;
		}
	}
	assert_null(s->env[s->env_count]);
	return found;
}

static void every_key_has_its_default(void **state)
{
	struct config *c = load("\"exec\": \"/bin/sh\"");
	const struct service *s = c->services;

	(void)state;
	assert_int_equal(c->services_count, 1);
	assert_string_equal(c->path, "/etc/superd/test.json");
	assert_int_equal(c->max_connections, 0);
	assert_int_equal(c->stop_timeout_ms, 5000);
	assert_int_equal(c->log.target, LOG_STDERR);
	assert_int_equal(c->log.format, LOG_TEXT);
	assert_int_equal(c->log.level, LOG_NOTICE);
	assert_string_equal(c->handler_path[0], SUPERD_HANDLER_DIR);
	assert_null(c->handler_path[1]);

	assert_string_equal(s->name, "x");
	assert_string_equal(s->place, "/etc/superd/test.json:1:17");
	assert_string_equal(s->description, "");
	assert_true(s->enabled);
	assert_int_equal(s->listen_count, 1);
	assert_string_equal(s->program, "/bin/sh");
	assert_string_equal(s->argv[0], "/bin/sh");
	assert_null(s->argv[1]);
	assert_null(s->chroot);
	assert_string_equal(s->directory, "/");
	assert_int_equal(s->umask, 022);
	assert_int_equal(s->nice, 0);
	assert_true(s->no_new_privs);
	assert_int_equal(s->limits_count, 0);
	assert_int_equal(s->stderr_to, STDERR_LOG);
	assert_null(s->stderr_path);
	assert_int_equal(s->max_connections, 100);
	assert_int_equal(s->kill_grace_ms, 5000);
	assert_null(s->access.acl);
	assert_false(s->access.allow_only);
	assert_false(s->reject_when_full);
	assert_int_equal(s->queue, 256);
	assert_null(s->reject_message);
	assert_int_equal(s->max_per_source, 0);
	assert_int_equal(s->source_bits_v4, 32);
	assert_int_equal(s->source_bits_v6, 64);
	assert_int_equal(s->rate.interval_us, 0);
	assert_int_equal(s->rate_per_source.interval_us, 0);
	assert_int_equal(s->ban.after, 0);
	assert_int_equal(s->trap_ms, 0);
	assert_int_equal(s->timeout_ms, 0);
	assert_int_equal(s->idle_timeout_ms, 0);
	assert_false(s->linger);
	assert_false(s->proxied);
	assert_int_equal(s->socket.user_timeout_ms, 600000);
	assert_int_equal(s->socket.bandwidth, 0);
	assert_false(c->log_bytes);
	assert_int_equal(s->socket.backlog, 4096);
	assert_true(s->socket.keepalive);
	assert_false(s->socket.nodelay);
	assert_false(s->socket.freebind);
	assert_int_equal(s->socket.mode, 0666);
	assert_false(s->socket.owner_set);
	assert_string_equal(env_of(s, "SUPERD_SERVICE"), "x");
	assert_string_equal(
		env_of(s, "PATH"), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	config_unref(c);
}

static void every_key_of_admission_has_its_field(void **state)
{
	struct config *c =
		load("\"exec\": \"/bin/sh\", \"on_limit\": \"reject\", \"queue\": 3, "
		     "\"reject_message\": \"no\\n\", \"max_per_source\": 4, "
		     "\"source_prefix\": { \"ipv6\": 48 }, \"rate\": \"30/m burst 10\", "
		     "\"rate_per_source\": 2, \"ban\": { \"after\": 5, \"within\": \"2m\" }, "
		     "\"timeout\": \"1h\", \"idle_timeout\": 90, \"close\": \"linger\", "
		     "\"user_timeout\": 0, \"bandwidth\": \"64K\"");
	const struct service *s = c->services;

	(void)state;
	assert_true(s->reject_when_full);
	assert_int_equal(s->queue, 3);
	assert_string_equal(s->reject_message, "no\n");
	assert_int_equal(s->max_per_source, 4);
	assert_int_equal(s->source_bits_v4, 32);
	assert_int_equal(s->source_bits_v6, 48);
	assert_int_equal(s->rate.interval_us, 2000000);
	assert_int_equal(s->rate.burst, 10);
	assert_int_equal(s->rate_per_source.interval_us, 500000);
	assert_int_equal(s->ban.after, 5);
	assert_int_equal(s->ban.within_ms, 120000);
	assert_int_equal(s->ban.for_ms, 600000);
	assert_int_equal(s->timeout_ms, 3600000);
	assert_int_equal(s->idle_timeout_ms, 90000);
	assert_true(s->linger);
	assert_int_equal(s->socket.user_timeout_ms, 0);
	assert_int_equal(s->socket.bandwidth, 65536);
	config_unref(c);
}

static enum acl_verdict verdict(const struct acl *acl, const char *address)
{
	struct acl_prefix p;

	assert_null(acl_parse(address, &p));
	return acl_match(acl, &p.key, NULL);
}

static void allow_and_deny_are_one_list(void **state)
{
	struct config *c =
		load("\"exec\": \"/bin/sh\", \"allow\": [ \"10.0.0.0/8\", \"localhost\" ], "
		     "\"deny\": [ \"10.1.0.0/16\", \"127.0.0.0/8\", \"::ffff:10.2.0.0/112\" ]");
	const struct access *a = &c->services->access;

	(void)state;
	assert_true(a->allow_only);
	assert_int_equal(c->acls_count, 1);
	assert_ptr_equal(a->acl, c->acls[0]);
	assert_int_equal(verdict(a->acl, "10.9.9.9"), ACL_ALLOW);
	assert_int_equal(verdict(a->acl, "10.1.9.9"), ACL_DENY);
	assert_int_equal(verdict(a->acl, "10.2.9.9"), ACL_DENY);  /* H7 */
	assert_int_equal(verdict(a->acl, "127.0.0.1"), ACL_DENY); /* a tie */
	assert_int_equal(verdict(a->acl, "::1"), ACL_ALLOW);
	assert_int_equal(verdict(a->acl, "192.0.2.1"), ACL_NONE);
	config_unref(c);
}

static struct config *load_whole(const char *text)
{
	struct complaints complaints = { 0 };
	const char *at = strstr(text, "@USER@");
	char *whole = mem_print("%.*s%u%s", (int)(at - text), text, (unsigned)geteuid(), at + 6);
	struct config *c = load_text("/x.json", whole, strlen(whole), &complaints);

	complaints_print(&complaints, stderr);
	complaints_free(&complaints);
	free(whole);
	return c;
}

static void lists_that_are_the_same_are_one(void **state)
{
	struct config *c =
		load_whole("{ \"services\": {"
			   "  \"a\": { \"listen\": \"7000\", \"exec\": \"/bin/sh\" },"
			   "  \"b\": { \"listen\": \"7001\", \"exec\": \"/bin/sh\" },"
			   "  \"c\": { \"listen\": \"7002\", \"exec\": \"/bin/sh\","
			   "    \"allow\": [ \"10.0.0.0/8\" ], \"deny\": [ \"10.1.0.0/16\" ] },"
			   "  \"d\": { \"listen\": \"7003\", \"exec\": \"/bin/sh\", \"deny\": [] },"
			   "  \"e\": { \"listen\": \"unix:@superd-test\", \"exec\": \"/bin/sh\","
			   "    \"allow\": [ \"uid:root\", \"gid:5\" ], \"deny\": \"all\" } },"
			   "  \"defaults\": { \"user\": @USER@, \"allow\": \"10.0.0.0/8\","
			   "    \"deny\": \"10.1.0.0/16\" } }");
	const struct service *s = c->services;

	(void)state;
	assert_int_equal(c->acls_count, 3);
	assert_ptr_equal(s[0].access.acl, s[1].access.acl);
	assert_ptr_equal(s[0].access.acl, s[2].access.acl);
	assert_ptr_not_equal(s[0].access.acl, s[3].access.acl);
	assert_int_equal(verdict(s[3].access.acl, "10.1.2.3"), ACL_ALLOW);
	/* "all" is behind every other rule, about users and groups. */
	assert_int_equal(verdict(s[4].access.acl, "uid:0"), ACL_ALLOW);
	assert_int_equal(verdict(s[4].access.acl, "uid:7"), ACL_NONE);
	assert_int_equal(verdict(s[4].access.acl, "gid:5"), ACL_ALLOW);
	assert_int_equal(verdict(s[4].access.acl, "gid:7"), ACL_DENY);
	config_unref(c);
}

static void an_object_replaces_the_whole_default(void **state)
{
	struct config *c = load_whole(
		"{ \"services\": {"
		"  \"a\": { \"listen\": \"7000\", \"exec\": \"/bin/sh\", \"reject_message\": \"\","
		"    \"ban\": { \"after\": 7 }, \"source_prefix\": {} },"
		"  \"b\": { \"listen\": \"7001\", \"exec\": \"/bin/sh\" } },"
		"  \"defaults\": { \"user\": @USER@, \"source_prefix\": { \"ipv4\": 8 },"
		"    \"reject_message\": \"no\", \"ban\": { \"after\": 5, \"for\": \"1h\" } } }");

	(void)state;
	assert_int_equal(c->services[0].ban.after, 7);
	assert_int_equal(c->services[0].ban.for_ms, 600000);
	assert_int_equal(c->services[0].source_bits_v4, 32);
	assert_null(c->services[0].reject_message);
	assert_int_equal(c->services[1].ban.after, 5);
	assert_int_equal(c->services[1].ban.for_ms, 3600000);
	assert_int_equal(c->services[1].source_bits_v4, 8);
	assert_string_equal(c->services[1].reject_message, "no");
	config_unref(c);
}

static void a_trap_runs_nothing(void **state)
{
	struct config *c =
		load_whole("{ \"services\": { \"x\": { \"listen\": \"7000\", \"trap\": \"1d\" },"
			   "  \"y\": { \"listen\": \"7001\", \"trap\": \"2d\" } },"
			   "  \"defaults\": { \"user\": @USER@ } }");

	(void)state;
	assert_int_equal(c->services[0].trap_ms, 86400000);
	assert_null(c->services[0].program);
	assert_null(c->services[0].argv);
	config_unref(c);
}

static void the_reader_of_declarations_stands_in_front(void **state)
{
	char *folder = realpath("tests/data/bin", NULL);
	char *text =
		mem_print("{ \"handler_path\": [ \"%s\" ], \"defaults\": { \"user\": @USER@ }, "
			  "\"services\": {"
			  "  \"x\": { \"listen\": \"7000\", \"exec\": [ \"/bin/sh\", \"-x\" ],"
			  "    \"proxy_protocol\": { \"from\": [ \"10.0.0.1\", \"::1\" ] } } } }",
			folder);
	struct config *c = load_whole(text);
	const struct service *s = c->services;

	(void)state;
	assert_true(s->proxied);
	assert_int_equal(acl_count(s->proxies), 2);
	assert_int_equal(verdict(s->proxies, "10.0.0.1"), ACL_ALLOW);
	assert_null(s->access.acl);
	assert_memory_equal(s->program, folder, strlen(folder));
	assert_string_equal(s->program + strlen(folder), "/proxy");
	assert_string_equal(s->argv[0], "proxy");
	assert_string_equal(s->argv[1], "-T");
	assert_string_equal(s->argv[2], "5");
	assert_string_equal(s->argv[3], "/bin/sh");
	assert_string_equal(s->argv[4], "-x");
	assert_null(s->argv[5]);
	config_unref(c);
	free(text);
	free(folder);
}

static void a_shell_line_is_an_argument_of_sh(void **state)
{
	struct config *c = load("\"shell\": \"date; exit 3\", \"argv0\": \"clock\"");
	const struct service *s = c->services;

	(void)state;
	assert_string_equal(s->program, "/bin/sh");
	assert_string_equal(s->argv[0], "clock");
	assert_string_equal(s->argv[1], "-c");
	assert_string_equal(s->argv[2], "date; exit 3");
	assert_null(s->argv[3]);
	config_unref(c);
}

static void h22_the_environment_is_a_list_with_an_order(void **state)
{
	struct config *c;
	const struct service *s;

	(void)state;
	setenv("TEST_PASSED", "outside", 1);
	setenv("TEST_BOTH", "outside", 1);
	setenv("TEST_HIDDEN", "outside", 1);
	unsetenv("TEST_UNSET");
	c = load("\"exec\": \"/bin/sh\", \"env\": { \"TEST_BOTH\": \"own\", \"PATH\": \"/x\", "
		 "\"LD_PRELOAD\": \"y\", \"EMPTY\": \"\" }, "
		 "\"pass_env\": [ \"TEST_PASSED\", \"TEST_BOTH\", \"TEST_UNSET\" ]");
	s = c->services;
	assert_string_equal(env_of(s, "TEST_PASSED"), "outside");
	assert_string_equal(env_of(s, "TEST_BOTH"), "own");
	assert_null(env_of(s, "TEST_HIDDEN"));
	assert_null(env_of(s, "TEST_UNSET"));
	assert_string_equal(env_of(s, "PATH"), "/x");
	assert_string_equal(env_of(s, "LD_PRELOAD"), "y");
	assert_string_equal(env_of(s, "EMPTY"), "");
	config_unref(c);
}

static void a_user_brings_variables_and_groups(void **state)
{
	struct config *c = load("\"exec\": \"/bin/sh\", \"env\": { \"HOME\": \"/tmp\" }");
	const struct service *s = c->services;

	(void)state;
	assert_int_equal(s->identity.set, geteuid() == 0);
	assert_int_equal(s->identity.uid, geteuid());
	assert_string_equal(env_of(s, "USER"), s->identity.user);
	assert_string_equal(env_of(s, "LOGNAME"), s->identity.user);
	assert_string_equal(env_of(s, "HOME"), "/tmp");
	config_unref(c);
}

static void limits_are_soft_and_hard(void **state)
{
	struct config *c = load("\"exec\": \"/bin/sh\", \"rlimits\": { \"nofile\": 64, "
				"\"cpu\": \"1m\", \"core\": { \"soft\": 0, \"hard\": \"1K\" }, "
				"\"fsize\": \"unlimited\" }");
	const struct service *s = c->services;

	(void)state;
	assert_int_equal(s->limits_count, 4);
	assert_int_equal(s->limits[0].resource, RLIMIT_NOFILE);
	assert_int_equal(s->limits[0].value.rlim_cur, 64);
	assert_int_equal(s->limits[0].value.rlim_max, 64);
	assert_int_equal(s->limits[1].resource, RLIMIT_CPU);
	assert_int_equal(s->limits[1].value.rlim_cur, 60);
	assert_int_equal(s->limits[2].value.rlim_cur, 0);
	assert_int_equal(s->limits[2].value.rlim_max, 1024);
	assert_true(s->limits[3].value.rlim_max == RLIM_INFINITY);
	config_unref(c);
}

static void what_a_service_sets_replaces_the_default_but_env_adds(void **state)
{
	static const char text[] =
		"{ \"services\": { \"a\": { \"listen\": \"7000\", \"exec\": \"/bin/sh\","
		"    \"env\": { \"B\": \"own\", \"C\": \"own\" }, \"rlimits\": { \"cpu\": 5 } },"
		"  \"b\": { \"listen\": \"7001\", \"exec\": \"/bin/sh\" } },"
		"  \"defaults\": { \"user\": %u, \"env\": { \"A\": \"all\", \"B\": \"all\" },"
		"    \"rlimits\": { \"nofile\": 64, \"core\": 0 }, \"nodelay\": true } }";
	struct complaints complaints = { 0 };
	char *whole = mem_print(text, (unsigned)geteuid());
	struct config *c = load_text("/x.json", whole, strlen(whole), &complaints);

	(void)state;
	assert_non_null(c);
	assert_int_equal(complaints.count, 0);
	assert_string_equal(env_of(&c->services[0], "A"), "all");
	assert_string_equal(env_of(&c->services[0], "B"), "own");
	assert_string_equal(env_of(&c->services[0], "C"), "own");
	assert_int_equal(c->services[0].limits_count, 1);
	assert_true(c->services[0].socket.nodelay);
	assert_string_equal(env_of(&c->services[1], "B"), "all");
	assert_int_equal(c->services[1].limits_count, 2);
	/* What is the same is there once. */
	assert_ptr_equal(c->services[0].argv, c->services[1].argv);
	config_unref(c);
	complaints_free(&complaints);
	free(whole);
}

static void relative_paths_are_beside_the_file(void **state)
{
	struct config *c =
		load("\"exec\": \"/bin/sh\", \"listen\": \"7001\", \"directory\": \"../\","
		     " \"stderr\": { \"file\": \"./err.log\" }, \"enabled\": true");

	(void)state;
	/* `listen` is there twice, which is refused, and there is no configuration. */
	assert_null(c);
	c = load("\"exec\": \"/bin/sh\", \"directory\": \"/\", \"stderr\": { \"file\": \"./e.log\" "
		 "}");
	assert_int_equal(c->services[0].stderr_to, STDERR_FILE);
	assert_string_equal(c->services[0].stderr_path, "/etc/superd/e.log");
	config_unref(c);
}

/* A NULL-terminated array as load_oneliner takes it. */
#define WORDS(...) ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })

static void a_oneliner_is_a_configuration(void **state)
{
	char user[40];
	struct complaints complaints = { 0 };
	struct config *c;

	(void)state;
	snprintf(user, sizeof user, "user=%u", (unsigned)geteuid());
	c = load_oneliner(WORDS("7000", "unix:@x"),
		WORDS("max_connections=10", "description=5 o'clock", "env={\"A\":\"1\"}", user),
		WORDS("/bin/sh", "-c", "5"), &complaints);
	assert_non_null(c);
	assert_int_equal(complaints.count, 0);
	assert_null(c->path);
	assert_string_equal(c->services[0].name, "sh");
	assert_string_equal(c->services[0].place, "-o");
	assert_int_equal(c->services[0].listen_count, 2);
	assert_int_equal(c->services[0].max_connections, 10);
	assert_string_equal(c->services[0].description, "5 o'clock");
	assert_string_equal(c->services[0].argv[2], "5");
	assert_string_equal(env_of(&c->services[0], "A"), "1");
	config_unref(c);
	complaints_free(&complaints);
}

static void options_of_texts_are_texts(void **state)
{
	struct complaints complaints = { 0 };
	struct config *c;
	char user[40];

	(void)state;
	snprintf(user, sizeof user, "user=%u", (unsigned)geteuid());
	c = load_oneliner(WORDS("7000"),
		WORDS("shell=true", "umask=77", "description=\"5\"", "nodelay=true", user),
		WORDS(NULL), &complaints);
	complaints_print(&complaints, stderr);
	assert_non_null(c);
	assert_string_equal(c->services[0].name, "shell");
	assert_string_equal(c->services[0].argv[2], "true");
	assert_string_equal(c->services[0].description, "5");
	assert_int_equal(c->services[0].umask, 077);
	assert_true(c->services[0].socket.nodelay);
	config_unref(c);
	complaints_free(&complaints);
}

static void h17_a_group_takes_the_place_of_the_users_own(void **state)
{
	struct config *c;

	(void)state;
	if (geteuid() != 0)
		skip();
	c = load("\"exec\": \"/bin/sh\", \"group\": 4321");
	assert_int_equal(c->services[0].identity.gid, 4321);
	assert_int_equal(c->services[0].identity.groups[0], 4321);
	config_unref(c);
	c = load("\"exec\": \"/bin/sh\", \"group\": 4321, \"groups\": [ 5, 6 ]");
	assert_int_equal(c->services[0].identity.gid, 4321);
	assert_int_equal(c->services[0].identity.groups_count, 2);
	assert_int_equal(c->services[0].identity.groups[1], 6);
	config_unref(c);
	c = load("\"exec\": \"/bin/sh\", \"groups\": []");
	assert_int_equal(c->services[0].identity.groups_count, 0);
	config_unref(c);
}

static const struct {
	const char *listen, *option, *program, *complaint;
} oneliners[] = {
	{ "70000", NULL, "/bin/sh", "-l: listen: port 70000 is outside 0..65535\n" },
	{ "7000", "max_connections=x", "/bin/sh",
		"-o: max_connections: wants a number, not a string\n" },
	{ "7000", "max_connections", "/bin/sh", "-o: 'max_connections' is not KEY=VALUE\n" },
	{ "7000", "=5", "/bin/sh", "-o: '=5' is not KEY=VALUE\n" },
	{ "7000", "listen=7001", "/bin/sh", "-o: listen: cannot be given here\n" },
	{ "7000", "user=root", "/bin/sh", "-o: user: is there twice\n" },
	{ "7000", "max_conn=5", "/bin/sh", "-o: unknown key 'max_conn'\n" },
	{ "7000", "enabled=false", "/bin/sh",
		"-o: there is nothing to serve: no service is enabled\n" },
	{ "7000", "description=\xff", "/bin/sh", "-o: description: is not UTF-8\n" },
	{ "7000", NULL, "/no/such", "--: exec: '/no/such' does not exist\n" },
	{ "7000", NULL, "\xff", "--: '\xff' is not UTF-8\n" },
	{ "7000", NULL, NULL, "-o: exec: is missing; a service has either exec or shell\n" },
};

static void a_wrong_oneliner_is_answered_by_its_option(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof oneliners / sizeof *oneliners; i++) {
		char user[40];
		struct complaints complaints = { 0 };
		char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		snprintf(user, sizeof user, "user=%u", (unsigned)geteuid());
		assert_null(
			load_oneliner(WORDS(oneliners[i].listen), WORDS(user, oneliners[i].option),
				WORDS(oneliners[i].program), &complaints));
		complaints_print(&complaints, out);
		fclose(out);
		assert_string_equal(text, oneliners[i].complaint);
		free(text);
		complaints_free(&complaints);
	}
}

static void options_win_over_the_file(void **state)
{
	char path[] = "/tmp/superd-test-XXXXXX", user[40];
	struct complaints complaints = { 0 };
	struct config *c;
	int fd = mkstemp(path);

	(void)state;
	snprintf(user, sizeof user, "user=%u", (unsigned)geteuid());
	assert_true(
		dprintf(fd,
			"{ \"services\": { \"a\": { \"listen\": \"7000\", \"exec\": \"/bin/sh\","
			" \"max_connections\": 3 } } }") > 0);
	close(fd);
	c = load_file(path, WORDS(user, "max_connections=7"), &complaints);
	unlink(path);
	assert_non_null(c);
	assert_int_equal(c->services[0].max_connections, 7);
	config_unref(c);
	complaints_free(&complaints);
}

static void complaints_are_sorted_and_said_once(void **state)
{
	struct complaints c = { 0 };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	complain(&c, "b", 1, 1, "x");
	complain(&c, "a", 2, 1, "x");
	complain(&c, "a", 1, 10, "x");
	complain(&c, "a", 1, 9, "%s", "y\n\x1b");
	complain(&c, "a", 0, 0, "x");
	complain(&c, "a", 1, 10, "x");
	complaints_print(&c, out);
	fclose(out);
	assert_string_equal(text, "a: x\na:1:9: y??\na:1:10: x\na:2:1: x\nb:1:1: x\n");
	free(text);
	complaints_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_has_its_default),
		cmocka_unit_test(every_key_of_admission_has_its_field),
		cmocka_unit_test(allow_and_deny_are_one_list),
		cmocka_unit_test(lists_that_are_the_same_are_one),
		cmocka_unit_test(an_object_replaces_the_whole_default),
		cmocka_unit_test(a_trap_runs_nothing),
		cmocka_unit_test(the_reader_of_declarations_stands_in_front),
		cmocka_unit_test(a_shell_line_is_an_argument_of_sh),
		cmocka_unit_test(h22_the_environment_is_a_list_with_an_order),
		cmocka_unit_test(a_user_brings_variables_and_groups),
		cmocka_unit_test(limits_are_soft_and_hard),
		cmocka_unit_test(what_a_service_sets_replaces_the_default_but_env_adds),
		cmocka_unit_test(relative_paths_are_beside_the_file),
		cmocka_unit_test(a_oneliner_is_a_configuration),
		cmocka_unit_test(options_of_texts_are_texts),
		cmocka_unit_test(h17_a_group_takes_the_place_of_the_users_own),
		cmocka_unit_test(a_wrong_oneliner_is_answered_by_its_option),
		cmocka_unit_test(options_win_over_the_file),
		cmocka_unit_test(complaints_are_sorted_and_said_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
