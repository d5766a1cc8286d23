/* Has anything moved on these sockets?  superd does not read them and does not want to wake up for
 * each datagram, so they are in an epoll set of their own, edge-triggered, that nobody waits on: it
 * is asked when somebody wants to know. */
#ifndef RUN_ACTIVITY_H
#define RUN_ACTIVITY_H

#include "daemon/run/state.h"

/* 0, or -1 with errno; more than once is fine. */
int activity_open(struct daemon *d);

/* From now on *moved_ms becomes the time of the look that found that something moved: a datagram
 * came, or an answer left; of a listening socket only that a client waits.  False: it cannot be
 * watched. */
bool activity_add(struct daemon *d, int fd, uint64_t *moved_ms);

/* Before the descriptor is closed: others may still have the socket. */
void activity_remove(struct daemon *d, int fd);

void activity_look(struct daemon *d);

#endif
