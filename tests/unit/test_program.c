/* daemon/os/program: why a file cannot be run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/os/program.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) (s), sizeof(s) - 1

/* A file's bytes and mode; and a part of the reason, or NULL: it can be run. */
static const struct {
	const char *name;
	const char *bytes;
	size_t len;
	mode_t mode;
	const char *why;
} cases[] = {
	{ "script", BYTES("#!/bin/sh\necho\n"), 0755, NULL },
	{ "spaces", BYTES("#! \t/bin/sh -e\n"), 0755, NULL },
	{ "no-newline", BYTES("#!/bin/sh"), 0755, NULL },
	{ "not-executable", BYTES("#!/bin/sh\n"), 0644, "chmod +x" },
	{ "crlf", BYTES("#!/bin/sh\r\necho\r\n"), 0755, "carriage return" },
	{ "crlf-arg", BYTES("#!/bin/sh -e\r\n"), 0755, "carriage return" },
	{ "missing", BYTES("#!/no/such/thing -x\n"), 0755, "/no/such/thing" },
	{ "folder", BYTES("#!/\n"), 0755, NULL }, /* a folder may be searched: X_OK says yes */
	{ "nameless", BYTES("#!\n"), 0755, "names no interpreter" },
	{ "only-spaces", BYTES("#!   \n"), 0755, "names no interpreter" },
	{ "plain", BYTES("echo hi\n"), 0755, "#!" },
	{ "empty", BYTES(""), 0755, "empty" },
	{ "one-byte", BYTES("#"), 0755, "#!" },
	{ "cut-elf", BYTES("\177ELF"), 0755, NULL }, /* left to the kernel */
};

static char folder[] = "/tmp/superd-unit-program-XXXXXX";

static void make(const char *name, const void *bytes, size_t len, mode_t mode, char path[200])
{
	FILE *f;

	snprintf(path, 200, "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void expect(const char *chroot_to, const char *path, const char *want)
{
	char why[256] = "";
	int r = program_check(chroot_to, path, why, sizeof why);

	if (!want) {
		if (r)
			fail_msg("%s: %s", path, why);
		return;
	}
	assert_int_equal(r, -1);
	if (!strstr(why, want))
		fail_msg("%s: '%s' does not say '%s'", path, why, want);
}

static void a_file_says_why_it_cannot_be_run(void **state)
{
	char path[200];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		make(cases[i].name, cases[i].bytes, cases[i].len, cases[i].mode, path);
		expect(NULL, path, cases[i].why);
		unlink(path);
	}
}

static void what_is_no_file_is_told(void **state)
{
	char path[200], *long_path = malloc(8192);

	(void)state;
	expect(NULL, folder, "folder");
	expect(NULL, "/dev/null", "not a file");
	snprintf(path, sizeof path, "%s/not-there", folder);
	expect(NULL, path, "No such file");
	memset(long_path, '/', 8191);
	long_path[8191] = '\0';
	expect(NULL, long_path, "too long");
	free(long_path);
}

static void a_binary_of_this_machine_runs_and_of_another_does_not(void **state)
{
	unsigned char head[4096];
	char path[200];
	size_t n;
	FILE *f = fopen("/proc/self/exe", "r");

	(void)state;
	assert_non_null(f);
	n = fread(head, 1, sizeof head, f);
	fclose(f);
	make("own", head, n, 0755, path);
	expect(NULL, path, NULL);
	unlink(path);
	head[18] ^= 0x55; /* e_machine */
	make("other", head, n, 0755, path);
	expect(NULL, path, "architecture");
	unlink(path);
}

static void inside_a_chroot_the_paths_are_those_inside(void **state)
{
	char path[200];

	(void)state;
	make("script", BYTES("#!/bin/sh\n"), 0755, path);
	expect(folder, "/script", "inside the chroot");
	expect(folder, path, "No such file");
	unlink(path);
	make("own", BYTES("\177ELF"), 0755, path);
	expect(folder, "/own", NULL);
	unlink(path);
}

static void a_small_buffer_is_enough(void **state)
{
	char path[200], why[4];

	(void)state;
	make("plain", BYTES("echo\n"), 0755, path);
	assert_int_equal(program_check(NULL, path, why, sizeof why), -1);
	assert_int_equal(strlen(why), sizeof why - 1);
	unlink(path);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_says_why_it_cannot_be_run),
		cmocka_unit_test(what_is_no_file_is_told),
		cmocka_unit_test(a_binary_of_this_machine_runs_and_of_another_does_not),
		cmocka_unit_test(inside_a_chroot_the_paths_are_those_inside),
		cmocka_unit_test(a_small_buffer_is_enough),
	};

	return cmocka_run_group_tests_name("program", tests, set_up, tear_down);
}
