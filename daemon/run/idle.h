/* idle_timeout: a connection on which no byte has moved either way for so long is ended.
 *
 * superd is not in the middle and cannot see bytes pass, and signals or alarms would not tell a
 * handler that computes from one that waits.  The kernel counts the bytes of every TCP
 * connection, so superd asks it, by the connection's addresses and without a copy of the
 * connection.  This works for handlers that read, write, poll, or do neither. */
#ifndef RUN_IDLE_H
#define RUN_IDLE_H

#include "daemon/run/state.h"

/* Before a service with an idle_timeout is served.  0, or -1 with errno. */
int idle_open(struct daemon *d);

void idle_begin(struct conn *c);
void idle_end(struct conn *c); /* also where it never began */

#endif
