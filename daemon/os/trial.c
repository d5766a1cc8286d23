#include "daemon/os/trial.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- as a user */

static const char *const calls[] = { "chroot", "setgroups", "setgid", "setuid", "chdir", "access" };

enum { CHROOT, GROUPS, GID, UID, DIRECTORY, PROGRAM };

/* Which call failed, with errno; -1: none. */
static int try_all(const struct service *s)
{
	const struct identity *id = &s->identity;

	if (s->chroot && (chroot(s->chroot) < 0 || chdir("/") < 0))
		return CHROOT;
	if (id->set && geteuid() == 0) {
		if (setgroups(id->groups_count, id->groups) < 0)
			return GROUPS;
		if (setresgid(id->gid, id->gid, id->gid) < 0)
			return GID;
		if (setresuid(id->uid, id->uid, id->uid) < 0)
			return UID;
	}
	if (chdir(s->directory) < 0)
		return DIRECTORY;
	if (s->program && faccessat(AT_FDCWD, s->program, X_OK, AT_EACCESS) < 0)
		return PROGRAM;
	return -1;
}

int trial_run(const struct service *s, const char **call)
{
	int ends[2], told[2] = { -1, 0 };
	pid_t pid;

	*call = "fork";
	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	pid = fork();
	if (pid == 0) {
		told[0] = try_all(s);
		told[1] = errno;
		_exit(write(ends[1], told, sizeof told) == sizeof told ? 0 : 1);
	}
	close(ends[1]);
	if (pid < 0 || read(ends[0], told, sizeof told) != sizeof told)
		told[1] = EAGAIN, told[0] = GROUPS;
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (told[0] < 0)
		return 0;
	*call = calls[told[0]];
	return told[1];
}

/* ---- who has it */

/* The inode of the socket that listens on a port, from a table of /proc/net; 0: none. */
static unsigned long inode_of_port(const char *table, unsigned port)
{
	unsigned long inode = 0;
	char line[512];
	FILE *f = fopen(table, "re");

	while (f && !inode && fgets(line, sizeof line, f)) {
		unsigned at, state;
		unsigned long n;

		/* 0A: listening; 07: a socket of datagrams, which is never more than that. */
		if (sscanf(line,
			    " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*d %*d "
			    "%lu",
			    &at, &state, &n) == 3 &&
			at == port && (state == 0x0a || state == 0x07))
			inode = n;
	}
	if (f)
		fclose(f);
	return inode;
}

static unsigned long inode_of_path(const char *path)
{
	unsigned long inode = 0;
	char line[512], name[256];
	FILE *f = fopen("/proc/net/unix", "re");

	while (f && !inode && fgets(line, sizeof line, f)) {
		unsigned long n;

		if (sscanf(line, "%*s %*s %*s %*s %*s %*s %lu %255s", &n, name) == 2 &&
			strcmp(name, path) == 0)
			inode = n;
	}
	if (f)
		fclose(f);
	return inode;
}

static unsigned long inode_of(const struct addr *a)
{
	static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp",
		"/proc/net/udp6" };
	size_t from = a->kind == ADDR_TCP ? 0 : 2;
	unsigned long inode = 0;

	if (a->sa.sa_family == AF_UNIX)
		return inode_of_path(a->un.sun_path);
	for (size_t i = from; !inode && i < from + 2; i++)
		inode = inode_of_port(tables[i], (unsigned)addr_port(a));
	return inode;
}

static bool has_inode(const char *pid, unsigned long inode)
{
	char path[300], target[64], wanted[64];
	bool found = false;
	struct dirent *e;
	DIR *dir;

	snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
	snprintf(path, sizeof path, "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir && !found && (e = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof target - 1);

		target[n > 0 ? n : 0] = '\0';
		found = strcmp(target, wanted) == 0;
	}
	if (dir)
		closedir(dir);
	return found;
}

static void read_name(struct holder *out)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/comm", (int)out->pid);
	f = fopen(path, "re");
	if (f && fgets(out->name, sizeof out->name, f))
		out->name[strcspn(out->name, "\n")] = '\0';
	if (f)
		fclose(f);
}

void trial_holder(const struct addr *a, struct holder *out)
{
	unsigned long inode = inode_of(a);
	DIR *dir = inode ? opendir("/proc") : NULL;
	struct dirent *e;

	*out = (struct holder){ 0 };
	while (dir && !out->pid && (e = readdir(dir)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && has_inode(e->d_name, inode))
			out->pid = (pid_t)atoi(e->d_name);
	if (dir)
		closedir(dir);
	if (out->pid)
		read_name(out);
}
