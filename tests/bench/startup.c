/* What does it cost to start and end a program?  Takes turns, so that the noise of the machine
 * falls on all alike, and prints for each the median in microseconds and the ratio to the first.
 *
 *   startup ROUNDS PROGRAM…          each is started with empty input and output to nowhere
 *
 * A PROGRAM may carry arguments, separated by commas: flag,/etc/hostname */
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static uint32_t run_once(char *const *argv)
{
	char *env[] = { "PATH=/usr/bin:/bin", NULL };
	uint32_t start = now_us();
	pid_t pid;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, env) != 0) {
		perror(argv[0]);
		exit(1);
	}
	waitpid(pid, NULL, 0);
	return now_us() - start;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[1]) : 0, count = argc - 2;
	int null = open("/dev/null", O_RDWR), output = dup(1);
	uint32_t **took;
	FILE *out;

	if (rounds < 1)
		return 2;
	/* The programs get no input and their output goes nowhere. */
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	out = fdopen(output, "w");
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
			took[i][r] = run_once(args[i]);
	for (int i = 0; i < count; i++)
		qsort(took[i], (size_t)rounds, sizeof **took, compare);
	for (int i = 0; i < count; i++)
		fprintf(out, "%s %u %.2f\n", args[i][0], took[i][rounds / 2],
			(double)took[i][rounds / 2] / took[0][rounds / 2]);
	return fclose(out) != 0;
}
