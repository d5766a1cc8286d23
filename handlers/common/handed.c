#include "handlers/common/handed.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_listening_stream(int fd)
{
	socklen_t len = sizeof(int);
	int listens = 0, type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

int handed_listeners(int fds[HANDED_MAX])
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int first = 0, n = is_listening_stream(0);

	if (pid && count && strtol(pid, NULL, 10) == getpid()) {
		first = 3;
		n = (int)strtol(count, NULL, 10);
	}
	if (n > HANDED_MAX)
		return -1;
	for (int i = 0; i < n; i++) {
		int fd = first + i;

		if (!is_listening_stream(fd))
			return -1;
		fds[i] = fd;
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		/* Otherwise a client that leaves between poll and accept stops us all. */
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return n < 0 ? -1 : n;
}
