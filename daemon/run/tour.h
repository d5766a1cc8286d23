/* The tour (-vv): the system calls of a connection's life as they happen, for a learner who
 * wants to see that a socket is a file descriptor.  Shows what really is called; of a start that
 * copies nothing it says that it stands where fork() stood. */
#ifndef RUN_TOUR_H
#define RUN_TOUR_H

#include "daemon/run/state.h"

void tour_accept(const struct conn *c, int listener_fd, int fd);
void tour_started(const struct conn *c);

/* A step that the child reported; c may be NULL if its pid is not known yet. */
void tour_step(const struct conn *c, const struct report *r);

void tour_reaped(const struct conn *c, int wait_status);

#endif
