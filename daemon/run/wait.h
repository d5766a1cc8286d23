/* mode "wait": a process is handed the listening sockets themselves, and meets its clients alone.
 *
 * superd polls the sockets, starts the process when somebody comes, and does not poll them again
 * until it has exited.  (While others of its `instances` live, it is replaced.)  Of a service with
 * streams one process has all sockets; of one with datagrams, as in inetd, each socket has its own.
 * They share what they have.
 *
 * In the books a start is what a connection is elsewhere: it arrives, is accepted, and is closed
 * when the process exits.
 *
 * A process that exits without having done anything would be started again at once, for ever:
 *   - of datagrams superd remembers when the first of the queue came.  If that one is still there
 *     when the process has exited, it was not read, and is thrown away (H38, H39);
 *   - of streams a client cannot be thrown away so lightly.  A process that ends within a second
 *     of its start, while clients wait, is started again after a pause.
 * Each such time in a row doubles the pause. */
#ifndef RUN_WAIT_H
#define RUN_WAIT_H

#include "daemon/run/state.h"

/* Somebody has come to this socket. */
void wait_readable(struct listener *l);

/* Adds what the process was handed to its environment, which has `count` variables. */
void wait_environ(struct conn *c, size_t count);

/* A process has exited, or could not be started: because it was told to, or at once after it was
 * started, or as it likes. */
enum wait_end { WAIT_TOLD, WAIT_AT_ONCE, WAIT_DONE };
void wait_ended(struct waiter *w, enum wait_end how);

/* For how long it has to live to have done something. */
#define WAIT_AT_ONCE_US 1000000

/* The sockets that a program has are not polled, the others are; after an address was opened. */
void wait_refresh(struct listener *l);

/* After a reload gave it to another service, or the service another mode. */
void wait_moved(struct listener *l);

/* After a reload: what has a socket that its service has no more is told to stop. */
void wait_recheck(struct daemon *d);

/* superd stops: such a program would never be done. */
void wait_stop(struct daemon *d);

/* For an upgrade: which of its unit's sockets, by their order, a process has. */
bool wait_has(const struct conn *c, const struct listener *l);
void wait_restore(struct conn *c, const bool *has);

/* The owner is gone; processes may live on.  NULL is fine. */
void waiter_free(struct waiter *w);

#endif
