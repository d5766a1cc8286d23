/* What depends on the processor, tried on each (`make check-ports`): the raw system calls, and a
 * child that walks its steps.  A plain program, since nothing but a C library is there for it.
 *
 * It runs under qemu-user, which has no clone(CLONE_VM) without a thread, so the child here is
 * forked, and os/start.c is compiled and linked only. */
#include "daemon/base/fd.h"
#include "daemon/model/plan.h"
#include "daemon/os/raw.h"
#include "daemon/os/start.h"
#include "daemon/os/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNTOUCHED 4711
#define NOFILE 99

static int checks;

#define CHECK(what)                                                                                \
	do {                                                                                       \
		checks++;                                                                          \
		if (!(what)) {                                                                     \
			printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #what);                  \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static void a_result_is_returned(void)
{
	CHECK(raw_call(SYS_getpid, 0, 0, 0, 0, 0) == getpid());
}

static void a_failure_is_a_negative_errno(void)
{
	const char *const argv[] = { "nothing", NULL };

	errno = UNTOUCHED;
	CHECK(raw_call(SYS_close, -1, 0, 0, 0, 0) == -EBADF);
	CHECK(raw_call(SYS_chdir, (long)"/nowhere/at/all", 0, 0, 0, 0) == -ENOENT);
	CHECK(raw_call(SYS_execve, (long)"/nowhere", (long)argv, (long)argv, 0, 0) == -ENOENT);
	CHECK(raw_call(SYS_dup3, 0, 0, 0, 0, 0) == -EINVAL);
	CHECK(errno == (RAW_SHARES_ERRNO ? EINVAL : UNTOUCHED));
}

/* statx has five, and each one of them counts here. */
static void all_five_arguments_arrive(void)
{
	struct statx at_dev, null;
	int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);

	CHECK(dev >= 0);
	CHECK(raw_call(SYS_statx, dev, (long)"", AT_EMPTY_PATH, STATX_BASIC_STATS, (long)&at_dev) ==
		0);
	CHECK(S_ISDIR(at_dev.stx_mode));
	CHECK(raw_call(SYS_statx, dev, (long)"null", 0, STATX_BASIC_STATS, (long)&null) == 0);
	CHECK(S_ISCHR(null.stx_mode) && null.stx_rdev_major == 1 && null.stx_rdev_minor == 3);
	CHECK(raw_call(SYS_statx, dev, (long)"null", -1, STATX_BASIC_STATS, (long)&null) ==
		-EINVAL);
	CHECK(raw_call(SYS_statx, dev, (long)"null", 0, 1L << 31, (long)&null) == -EINVAL);
	close(dev);
}

/* What the kernel writes to and reads from memory, the compiler has not kept in registers. */
static void memory_is_what_the_kernel_made_of_it(void)
{
	int ends[2];
	char out = 'a', in = 'z';

	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	for (int i = 0; i < 26; i++) {
		out = (char)('a' + i);
		CHECK(raw_call(SYS_write, ends[1], (long)&out, 1, 0, 0) == 1);
		CHECK(raw_call(SYS_read, ends[0], (long)&in, 1, 0, 0) == 1);
		CHECK(in == 'a' + i);
	}
	close(ends[0]);
	close(ends[1]);
}

static void nothing(void *context)
{
	(void)context;
}

/* Numbers that do not fit into what calls of older kernels took: 16 bits for ids, 32 for sizes. */
#define USER 100001
#define GROUP 100002
#define OTHER_GROUP 100003
#define FILE_BYTES (UINT64_C(5) << 30)

/* Root alone can become somebody. */
static const char *expected(void)
{
	return geteuid() == 0 ? "0027\n99\n0\n10485760\n/dev\n100001\n100002 100003\nhello\n"
				"no more\n"
			      : "0027\n99\n0\n10485760\n/dev\nhello\nno more\n";
}

/* A child, forked as a copied address space would be: every step, and a program behind it that
 * tells what it finds.  That one is of this machine. */
static int walk(const char *program, char *said, size_t size, struct report *report)
{
	static const char *const envp[] = { "PATH=/usr/bin:/bin", NULL };
	const char *const argv[] = { "sh", "-c",
		"umask; ulimit -n; ulimit -c; ulimit -f; pwd; "
		"case $(id -u) in 100001) id -u; id -G;; esac; cat; "
		"test -e /proc/self/fd/3 || echo no more; exit 7",
		NULL };
	static const struct limit limits[] = { { RLIMIT_CORE, { 0, 0 } },
		{ RLIMIT_FSIZE, { FILE_BYTES, FILE_BYTES } } };
	static const gid_t groups[] = { OTHER_GROUP };
	const struct service service = {
		.name = "a",
		.program = program,
		.argv = argv,
		.directory = "/dev",
		.umask = 027,
		.nice = 1,
		.no_new_privs = true,
		.limits = limits,
		.limits_count = 2,
		.identity = { .set = true,
			.uid = USER,
			.gid = GROUP,
			.groups = groups,
			.groups_count = 1 },
	};
	const struct host host = {
		.umask = 022,
		.root = geteuid() == 0,
		.close_range = true,
		.share_files = true,
		.nofile_raised = true,
		.nofile = { NOFILE, NOFILE },
	};
	struct plan plan = { .service = &service, .host = &host, .envp = envp, .admit = -1 };
	int pair[2], ends[2], status;
	ssize_t n, got = 0;
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	/* Before the child, which may be gone at once. */
	CHECK(write(pair[0], "hello\n", 6) == 6 && shutdown(pair[0], SHUT_WR) == 0);
	plan.connection = fcntl(pair[1], F_DUPFD_CLOEXEC, FD_HIGH);
	plan.error = plan.connection;
	plan.steps = plan_steps(&service, &host, true);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		if (dup3(ends[1], STEPS_REPORT_FD, O_CLOEXEC) < 0 && ends[1] != STEPS_REPORT_FD)
			_exit(99);
		steps_walk(&plan, (struct steps_hook){ nothing, NULL });
	}
	close(pair[1]);
	close(plan.connection);
	close(ends[1]);
	while ((n = read(pair[0], said + got, size - 1 - (size_t)got)) > 0)
		got += n;
	said[got] = '\0';
	n = read(ends[0], report, sizeof *report);
	CHECK(n == 0 || (n == (ssize_t)sizeof *report && report->pid == pid));
	if (n == 0)
		report->step = -1;
	close(pair[0]);
	close(ends[0]);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void a_child_walks_its_steps(void)
{
	struct report report;
	char said[256];
	int status = walk("/bin/sh", said, sizeof said, &report);

	if (status != 7)
		printf("exit %d, step %d, result %d: %s\n", status, report.step, report.result,
			said);
	CHECK(status == 7 && report.step == -1);
	if (strcmp(said, expected()) != 0)
		printf("%s\n", said);
	CHECK(strcmp(said, expected()) == 0);
}

static void a_step_that_fails_is_told(void)
{
	struct report report;
	char said[256];

	CHECK(walk("/nowhere", said, sizeof said, &report) == 127);
	CHECK(report.step == STEP_EXEC && report.result == -ENOENT && said[0] == '\0');
	CHECK(walk("/etc/passwd", said, sizeof said, &report) == 126);
	CHECK(report.step == STEP_EXEC && report.result == -EACCES && said[0] == '\0');
}

int main(void)
{
	a_result_is_returned();
	a_failure_is_a_negative_errno();
	all_five_arguments_arrive();
	memory_is_what_the_kernel_made_of_it();
	a_child_walks_its_steps();
	a_step_that_fails_is_told();
	start_free(NULL);
	printf("%d checks passed\n", checks);
	return 0;
}
