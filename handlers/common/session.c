#include "handlers/common/session.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of /proc/PID/stat: "4711 (any text, brackets too) S parent group session ...". */
static int is_ours(int proc, const char *pid)
{
	char path[32], stat[512], state;
	const char *rest;
	int fd, session;
	ssize_t n;

	snprintf(path, sizeof(path), "%.20s/stat", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	stat[n] = '\0';
	rest = strrchr(stat, ')');
	return rest && sscanf(rest + 1, " %c %*d %*d %d", &state, &session) == 2 &&
	       session == getsid(0) && state != 'Z' && state != 'X';
}

int session_signal(int number)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	if (!proc)
		return -1;
	while ((entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 0 || pid == getpid() || !is_ours(dirfd(proc), entry->d_name))
			continue;
		if (kill(pid, number) == 0)
			count++;
	}
	closedir(proc);
	return count;
}
