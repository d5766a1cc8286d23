#include "daemon/run/refuse.h"

#include "daemon/run/linger.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void refuse(struct unit *u, int fd)
{
	const char *message = u->service->reject_message;

	/* A fresh socket takes a short message at once; if it does not, the client has gone.  With
	 * a descriptor of the reserve nobody lingers: it is wanted. */
	if (message && send(fd, message, strlen(message), MSG_DONTWAIT | MSG_NOSIGNAL) > 0 &&
		u->daemon->reserve_count)
		linger(u->daemon, fd, NULL, NULL);
	else
		close(fd);
}
