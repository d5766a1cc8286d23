/* Listening sockets and what is known of a peer.  Never reads or writes a connection. */
#ifndef OS_SOCK_H
#define OS_SOCK_H

#include "daemon/model/service.h"

/* A listening socket's file in the file system, to be removed only while it is ours (H51). */
struct sock_path {
	dev_t dev;
	ino_t ino;
};

/* Opens, binds and listens: non-blocking (H1), close-on-exec, high number.
 * *bound becomes the address with the port that the kernel chose, *path the identity of a unix
 * socket's file.  Returns the descriptor, or -1 with errno, and *call names what failed. */
int sock_listen(const struct addr *a, const struct service *s, struct addr *bound,
	struct sock_path *path, const char **call);

/* Gives an open listening socket the options of a changed service.  0, or -1 with errno and
 * *call. */
int sock_adjust(int fd, const struct addr *a, const struct sock_path *path, const struct service *s,
	const char **call);

/* Removes the file of a unix socket if it still is the one that sock_listen made. */
void sock_unlink(const struct addr *a, const struct sock_path *path);

/* True if `fd` is somebody's end of a unix connection; fills who. */
bool sock_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid);

#endif
