/* What does it cost to start and end a program?  Takes turns, so that the noise of the machine
 * falls on all alike, and prints for each the median in microseconds and the ratio to the first.
 *
 *   startup ROUNDS PROGRAM…
 *
 * Each is given what superd gives it, a socket as 0 and 1, whose peer has nothing to say, and a
 * pipe as 2; and nothing else.
 * A PROGRAM may carry arguments, separated by commas: flag,/etc/hostname */
#include <fcntl.h>
#include <linux/close_range.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_ARGS 8

static uint32_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint32_t)((uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint32_t run_once(char *const *argv, int log)
{
	char *env[] = { "PATH=/usr/bin:/bin", NULL };
	posix_spawn_file_actions_t give;
	uint32_t start, took;
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		die("socketpair");
	shutdown(ends[0], SHUT_WR);
	posix_spawn_file_actions_init(&give);
	posix_spawn_file_actions_adddup2(&give, ends[1], 0);
	posix_spawn_file_actions_adddup2(&give, ends[1], 1);
	posix_spawn_file_actions_adddup2(&give, log, 2);
	start = now_us();
	if (posix_spawn(&pid, argv[0], &give, NULL, argv, env) != 0)
		die(argv[0]);
	waitpid(pid, NULL, 0);
	took = now_us() - start;
	posix_spawn_file_actions_destroy(&give);
	close(ends[0]);
	close(ends[1]);
	return took;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[1]) : 0, count = argc - 2;
	uint32_t **took;
	int log[2];

	if (rounds < 1)
		return 2;
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0 || pipe2(log, O_CLOEXEC | O_NONBLOCK) < 0)
		die("startup");
	took = calloc((size_t)count, sizeof *took);
	char *(*args)[MOST_ARGS] = calloc((size_t)count, sizeof *args);

	for (int i = 0; i < count; i++) {
		char *rest = argv[i + 2];

		took[i] = calloc((size_t)rounds, sizeof **took);
		for (int k = 0; k < MOST_ARGS - 1 && rest; k++)
			args[i][k] = strsep(&rest, ",");
	}
	for (int r = 0; r < rounds; r++)
		for (int i = 0; i < count; i++)
			took[i][r] = run_once(args[i], log[1]);
	for (int i = 0; i < count; i++)
		qsort(took[i], (size_t)rounds, sizeof **took, compare);
	for (int i = 0; i < count; i++)
		printf("%s %u %.2f\n", args[i][0], took[i][rounds / 2],
			(double)took[i][rounds / 2] / took[0][rounds / 2]);
	return fflush(stdout) != 0;
}
