#include "daemon/run/reserve.h"

#include "daemon/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define SHARE 4
#define SHARE_MOST 4096

void reserve_fill(struct daemon *d)
{
	while (d->reserve_count < RESERVE) {
		int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STEPS_WAKE_FD + 1);

		if (fd < 0)
			return;
		d->reserve[d->reserve_count++] = fd_settle(fd);
	}
}

bool reserve_release(struct daemon *d)
{
	if (!d->reserve_count)
		return false;
	while (d->reserve_count)
		fd_close(&d->reserve[--d->reserve_count]);
	return true;
}

bool reserve_release_for(const struct unit *u)
{
	return errno == EMFILE && !u->live && !u->waiting && reserve_release(u->daemon);
}

size_t reserve_share(const struct daemon *d)
{
	rlim_t share = d->host.nofile.rlim_max / SHARE;

	return share < SHARE_MOST ? (size_t)share : SHARE_MOST;
}
