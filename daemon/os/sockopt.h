/* The options of listening sockets, by when they have to be set.  Accepted sockets inherit most.
 * Each returns 0, or -1 with errno. */
#ifndef OS_SOCKOPT_H
#define OS_SOCKOPT_H

#include "daemon/model/service.h"

/* Those that say what bind(2) means. */
int sockopt_before_bind(int fd, const struct addr *a, const struct service *s);

/* Those that an open socket takes as well, in both directions: a reload may take one back. */
int sockopt_any_time(int fd, const struct addr *a, const struct service *s);

/* Those that would let others have the same address, and the group that it is one of. */
int sockopt_after_bind(int fd, const struct addr *a, const struct service *s);

/* Of UDP: whether it is told which of our addresses a datagram was sent to (H41), and when it came.
 * A program that is handed the socket finds it as socket(2) makes them. */
int sockopt_look(int fd, const struct addr *a, bool on);

/* Whether calls on it wait.  The flag is one for all who have the socket. */
int sockopt_block(int fd, bool blocking);

/* One that is an int. */
int sockopt_set(int fd, int level, int option, int value);

#endif
