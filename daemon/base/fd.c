#include "daemon/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void fd_sanitize(void)
{
	static const char why[] = "superd: /dev/null: cannot open\n";
	int fd;

	/* open takes the lowest free number, so this ends at the first one above 2. */
	do {
		fd = open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (fd < 0) {
			ssize_t ignored = write(2, why, sizeof why - 1);

			(void)ignored;
			_exit(111);
		}
		if (fd <= 2 && fcntl(fd, F_SETFD, 0) < 0)
			_exit(111);
	} while (fd <= 2);
	close(fd);
}

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int fd_high(int fd)
{
	int high;

	if (fd < 0 || fd >= FD_HIGH)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);
	if (high < 0)
		return fd;
	close(fd);
	return high;
}
