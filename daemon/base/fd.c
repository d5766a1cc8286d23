#include "daemon/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void fd_sanitize(void)
{
	static const char why[] = "superd: /dev/null: cannot open\n";

	/* Looked at first: where none is missing, /dev/null need not be there (H60). */
	for (int want = 0; want <= 2; want++) {
		int fd;

		if (fcntl(want, F_GETFD) >= 0)
			continue;
		/* open takes the lowest free number, which is this one. */
		fd = open("/dev/null", O_RDWR | O_NOCTTY);
		if (fd != want) {
			ssize_t ignored = write(2, why, sizeof why - 1);

			(void)ignored;
			_exit(111);
		}
	}
}

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int fd_raise(int fd, int least)
{
	int raised;

	if (fd < 0 || fd >= least)
		return fd;
	raised = fcntl(fd, F_DUPFD_CLOEXEC, least);
	if (raised < 0)
		return fd;
	close(fd);
	return raised;
}

int fd_high(int fd)
{
	return fd_raise(fd, FD_HIGH);
}

int fd_settle(int fd)
{
	return fd < FD_SETTLED ? fd : fd_high(fd);
}
