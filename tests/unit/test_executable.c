/* Whether a file would run, and why not (H18). */
#include "daemon/os/accounts.h"
#include "daemon/os/binfmt.h"
#include "daemon/os/executable.h"

#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/superd-test-XXXXXX";

static const char *put(const char *name, const void *bytes, size_t size, mode_t mode)
{
	static char path[100];
	FILE *out;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, size, out), size);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "file", "format", "other", "off" };
	char path[100];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		unlink(path);
	}
	return rmdir(folder);
}

static const struct {
	const char *text;
	mode_t mode;
	const char *wrong;
} files[] = {
	{ "#!/bin/sh\n", 0755, NULL },
	{ "#!/bin/sh", 0755, NULL },
	{ "#! \t/bin/sh -e\n", 0755, NULL },
	{ "#!/bin/sh\n", 0644, "is not executable; chmod +x makes it so" },
	{ "#!/bin/sh\r\n", 0755,
		"has a #! line that ends in CR LF, which no interpreter understands; save it "
		"with LF" },
	{ "#!/usr/bin/env sh\r\necho\r\n", 0755,
		"has a #! line that ends in CR LF, which no interpreter understands; save it "
		"with LF" },
	{ "#!/no/such\n", 0755,
		"needs the interpreter '/no/such' of its #! line, which does not exist" },
	{ "#!\n", 0755, "has a #! line that names no interpreter" },
	{ "#!", 0755, "has a #! line that names no interpreter" },
	{ "#", 0755, "is neither a program of this machine nor a script with a #! line" },
	{ "", 0755, "is empty" },
	{ "\177ELF", 0755, "is neither a program of this machine nor a script with a #! line" },
};

static void every_reason_has_its_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		const char *path = put("file", files[i].text, strlen(files[i].text), files[i].mode);
		char why[300];
		bool there = false;
		const char *wrong = executable_wrong(NULL, path, &there, why, sizeof why);

		assert_true(there);
		if (!files[i].wrong)
			assert_null(wrong);
		else
			assert_string_equal(wrong, files[i].wrong);
	}
}

static void programs_of_this_machine_pass(void **state)
{
	char why[300];
	bool there;

	(void)state;
	assert_null(executable_wrong(NULL, "/bin/sh", &there, why, sizeof why));
	assert_null(executable_wrong("/", "/bin/sh", &there, why, sizeof why));
	assert_null(executable_wrong(NULL, "/proc/self/exe", &there, why, sizeof why));
}

/* Our own program, as if it had been built for another machine. */
static const char *wrong_of_machine(Elf32_Half machine)
{
	static char why[300];
	char head[256];
	bool there;
	FILE *self = fopen("/proc/self/exe", "re");

	assert_non_null(self);
	assert_int_equal(fread(head, 1, sizeof head, self), sizeof head);
	fclose(self);
	memcpy(head + offsetof(Elf32_Ehdr, e_machine), &machine, sizeof machine);
	return executable_wrong(
		NULL, put("file", head, sizeof head, 0755), &there, why, sizeof why);
}

static void programs_of_other_machines_do_not(void **state)
{
	(void)state;
	assert_non_null(
		strstr(wrong_of_machine(EM_SPARC), "is built for another machine; this is "));
}

static void h18_a_kernel_of_64_bits_runs_both(void **state)
{
	struct utsname u;

	(void)state;
	assert_int_equal(uname(&u), 0);
	if (strcmp(u.machine, "x86_64") == 0) {
		assert_null(wrong_of_machine(EM_386));
		assert_null(wrong_of_machine(EM_X86_64));
	} else if (strcmp(u.machine, "aarch64") == 0) {
		assert_null(wrong_of_machine(EM_ARM));
		assert_null(wrong_of_machine(EM_AARCH64));
	} else {
		skip();
	}
}

static void what_is_not_there_is_told_from_what_is_unfit(void **state)
{
	char why[300];
	bool there = true;

	(void)state;
	assert_string_equal(
		executable_wrong(NULL, "/no/such", &there, why, sizeof why), "does not exist");
	assert_false(there);
	assert_string_equal(
		executable_wrong(NULL, "/dev/null/x", &there, why, sizeof why), "does not exist");
	assert_false(there);
	assert_string_equal(
		executable_wrong("/no/such", "/bin/sh", &there, why, sizeof why), "does not exist");
	assert_string_equal(executable_wrong(NULL, "/", &there, why, sizeof why), "is a directory");
	assert_true(there);
}

static void registered_formats_are_honoured(void **state)
{
	static const char format[] = "enabled\ninterpreter /x\nflags: OC\noffset 1\n"
				     "magic 414200\nmask ffff00\n";
	static const char other[] = "enabled\ninterpreter /x\nflags: \nextension .jar\n";
	static const char off[] = "disabled\ninterpreter /x\nflags: \noffset 0\nmagic 5858\n";

	(void)state;
	put("format", format, strlen(format), 0644);
	put("other", other, strlen(other), 0644);
	put("off", off, strlen(off), 0644);
	assert_true(binfmt_takes(folder, "/a", "xABC", 4));
	assert_false(binfmt_takes(folder, "/a", "xAB", 3));
	assert_false(binfmt_takes(folder, "/a", "xACC", 4));
	assert_false(binfmt_takes(folder, "/a", "", 0));
	assert_true(binfmt_takes(folder, "/a.jar", "", 0));
	assert_false(binfmt_takes(folder, "/a.jar/b", "", 0));
	assert_false(binfmt_takes(folder, "/a", "XXXX", 4));
	assert_false(binfmt_takes("/no/such", "/a.jar", "xABC", 4));
}

static void h17_accounts_are_found_by_name_and_number(void **state)
{
	struct arena arena = { 0 };
	struct identity id;
	gid_t gid;

	(void)state;
	assert_int_equal(accounts_user("root", &arena, &id), 0);
	assert_int_equal(id.uid, 0);
	assert_int_equal(id.gid, 0);
	assert_string_equal(id.user, "root");
	assert_int_equal(id.groups_count, 0);
	accounts_groups(&id, &arena);
	assert_true(id.groups_count >= 1);
	assert_int_equal(id.groups[0], 0);
	assert_int_equal(accounts_user("0", &arena, &id), 0);
	assert_string_equal(id.user, "root");
	assert_int_equal(accounts_user("4000000000", &arena, &id), 0);
	assert_true(id.uid == 4000000000 && id.gid == 4000000000);
	accounts_groups(&id, &arena);
	assert_int_equal(id.groups_count, 0);
	assert_string_equal(id.user, "4000000000");
	assert_int_equal(accounts_group("root", &gid), 0);
	assert_int_equal(gid, 0);
	assert_int_equal(accounts_group("4000000000", &gid), 0);
	assert_true(gid == 4000000000);
	arena_free(&arena);
}

static void h17_an_unknown_account_is_no_account(void **state)
{
	static const char *const names[] = { "", "no-such-user", "-1", "4294967295", "4294967296",
		"99999999999999999999", "0x0", " 0", "1 " };
	struct arena arena = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct identity id;
		gid_t gid;

		assert_int_equal(accounts_user(names[i], &arena, &id), -1);
		assert_int_equal(errno, ENOENT);
		assert_int_equal(accounts_group(names[i], &gid), -1);
		assert_int_equal(errno, ENOENT);
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_its_words),
		cmocka_unit_test(programs_of_this_machine_pass),
		cmocka_unit_test(programs_of_other_machines_do_not),
		cmocka_unit_test(h18_a_kernel_of_64_bits_runs_both),
		cmocka_unit_test(what_is_not_there_is_told_from_what_is_unfit),
		cmocka_unit_test(registered_formats_are_honoured),
		cmocka_unit_test(h17_accounts_are_found_by_name_and_number),
		cmocka_unit_test(h17_an_unknown_account_is_no_account),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
