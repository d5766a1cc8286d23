#include "daemon/os/tasks.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 8 /* generations that are looked at */

/* Of one thread: its switches, willing or not; each is written behind its name in `status`. */
static uint64_t switches_of(const char *folder)
{
	char path[300], line[256];
	uint64_t sum = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s/status", folder);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		const char *colon = strchr(line, ':');

		if (colon && strstr(line, "_ctxt_switches"))
			sum += strtoull(colon + 1, NULL, 10);
	}
	if (f)
		fclose(f);
	return sum;
}

static uint64_t runs(pid_t pid, int depth);

/* Of the processes that one thread started. */
static uint64_t runs_of_children(const char *folder, int depth)
{
	char path[300];
	uint64_t sum = 0;
	long child;
	FILE *f;

	snprintf(path, sizeof path, "%s/children", folder);
	f = fopen(path, "re");
	while (f && depth && fscanf(f, "%ld", &child) == 1)
		sum += (uint64_t)child + runs((pid_t)child, depth - 1);
	if (f)
		fclose(f);
	return sum;
}

static uint64_t runs(pid_t pid, int depth)
{
	char path[64], folder[280];
	uint64_t sum = 0;
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(folder, sizeof folder, "%.63s/%.200s", path, e->d_name);
		sum += switches_of(folder) + runs_of_children(folder, depth);
	}
	if (dir)
		closedir(dir);
	return sum;
}

uint64_t tasks_runs(pid_t pid)
{
	return runs(pid, DEPTH);
}
