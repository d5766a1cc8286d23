#include "daemon/os/pidfile.h"

#include "daemon/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static pid_t read_pid(int fd)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return (pid_t)strtol(text, NULL, 10);
}

/* Between our open and our lock the one before us may have removed it. */
static int is_there(const char *path, int fd)
{
	struct stat file, ours;

	return fstat(fd, &ours) == 0 && stat(path, &file) == 0 && file.st_dev == ours.st_dev &&
	       file.st_ino == ours.st_ino;
}

static int take_once(const char *path, pid_t *owner)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0644);
	int why;

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	why = errno;
	*owner = read_pid(fd);
	close(fd);
	errno = why;
	return -1;
}

int pidfile_take(const char *path, pid_t *owner)
{
	int fd = -1;

	*owner = 0;
	for (int i = 0; i < 10; i++) {
		fd = take_once(path, owner);
		if (fd < 0)
			return -1;
		if (is_there(path, fd))
			break;
		fd_close(&fd);
	}
	if (fd < 0) {
		errno = EWOULDBLOCK;
		return -1;
	}
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0) {
		fd_close(&fd);
		return -1;
	}
	return fd_settle(fd);
}

void pidfile_remove(const char *path, int *fd)
{
	if (*fd >= 0 && is_there(path, *fd))
		unlink(path);
	fd_close(fd);
}
