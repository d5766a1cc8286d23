/* daemon/base/fd: missing 0, 1, 2, and descriptors that live high.  Each case in a child of its
 * own, since it takes the descriptors of the whole process away. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/base/fd.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	bool closed[3];
} cases[] = {
	{ { false, false, false } },
	{ { true, false, false } },
	{ { false, true, false } },
	{ { false, false, true } },
	{ { true, false, true } },
	{ { true, true, true } },
};

static bool is_null_device(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) == 1 &&
	       minor(st.st_rdev) == 3;
}

/* In a child: 0 if all is as it should be, else which check failed. */
static int sanitize(const bool closed[3])
{
	int pipe_ends[2], next;

	if (pipe(pipe_ends) < 0)
		return 1;
	for (int fd = 0; fd <= 2; fd++) {
		dup2(pipe_ends[0], fd);
		if (closed[fd])
			close(fd);
	}
	next = dup(pipe_ends[0]);
	if (next <= 2) {
		close(next);
		next = -1;
	} else {
		close(next);
	}
	fd_sanitize();
	for (int fd = 0; fd <= 2; fd++) {
		if (is_null_device(fd) != closed[fd])
			return 2;
		if (fcntl(fd, F_GETFD) != 0)
			return 3;
	}
	/* No other descriptor stays open. */
	if (next >= 0 && dup(pipe_ends[0]) != next)
		return 4;
	return 0;
}

static int in_child(int (*check)(const void *), const void *context)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(check(context));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int check_sanitize(const void *closed)
{
	return sanitize(closed);
}

static void whichever_of_0_1_2_is_missing_is_the_null_device(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		assert_int_equal(in_child(check_sanitize, cases[i].closed), 0);
}

static void a_high_descriptor_is_high_and_closed_at_exec(void **state)
{
	int ends[2], high;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	high = fd_high(ends[0]);
	assert_true(high >= FD_HIGH);
	assert_int_equal(fcntl(high, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(ends[0], F_GETFD), -1);
	assert_int_equal(fd_high(high), high);
	assert_int_equal(fd_high(-1), -1);
	close(high);
	close(ends[1]);
}

static void what_superd_holds_stays_low_while_there_is_room(void **state)
{
	int low = dup(0), above = fcntl(0, F_DUPFD_CLOEXEC, FD_SETTLED), moved;

	(void)state;
	assert_true(low < FD_SETTLED);
	assert_int_equal(fd_settle(low), low);
	assert_int_equal(fd_settle(-1), -1);
	moved = fd_settle(above);
	assert_true(moved >= FD_HIGH);
	assert_int_equal(fcntl(above, F_GETFD), -1);
	close(low);
	close(moved);
}

static int check_no_room(const void *context)
{
	const struct rlimit low = { FD_HIGH, FD_HIGH };
	int fd = dup(0);

	(void)context;
	setrlimit(RLIMIT_NOFILE, &low);
	return fd_high(fd) == fd && fcntl(fd, F_GETFD) >= 0 ? 0 : 1;
}

static void where_there_is_no_room_above_it_stays_where_it_is(void **state)
{
	(void)state;
	assert_int_equal(in_child(check_no_room, NULL), 0);
}

static void closing_is_once_and_leaves_errno_alone(void **state)
{
	int fd = dup(0), copy = fd;

	(void)state;
	errno = ENOENT;
	fd_close(&fd);
	assert_int_equal(fd, -1);
	assert_int_equal(fcntl(copy, F_GETFD), -1);
	errno = ENOENT;
	fd_close(&fd);
	assert_int_equal(errno, ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whichever_of_0_1_2_is_missing_is_the_null_device),
		cmocka_unit_test(a_high_descriptor_is_high_and_closed_at_exec),
		cmocka_unit_test(what_superd_holds_stays_low_while_there_is_room),
		cmocka_unit_test(where_there_is_no_room_above_it_stays_where_it_is),
		cmocka_unit_test(closing_is_once_and_leaves_errno_alone),
	};

	return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
