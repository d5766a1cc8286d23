/* Connections that come through a proxy.  The proxy's header is read by a chain-loading program
 * in front of the handler, unprivileged, never by superd (invariant 1).  That program asks superd,
 * through a socket of its own, whether the declared client may come in, before it execs the
 * handler: so access lists, bans, limits by source and the log are about the real client. */
#ifndef RUN_DECLARE_H
#define RUN_DECLARE_H

#include "daemon/run/state.h"

/* Opens the socket; its far end becomes part of the plan.  0, or -1 with errno. */
int declare_open(struct conn *c);

/* The program runs: superd listens to it. */
void declare_begin(struct conn *c);

/* For an upgrade: superd's end of the socket, -1 if there is none; and it, taken. */
int declare_fd(const struct conn *c);
void declare_restore(struct conn *c, int fd);

/* It has exited, or has been answered; also where there is nothing to end. */
void declare_end(struct conn *c);

#endif
