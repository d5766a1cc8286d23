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

/* For an upgrade: what was seen last, and where. */
struct idle_view {
	struct addr local, remote; /* as on the wire: a proxied client has others */
	uint64_t bytes;
	uint64_t moved_ms;
};
bool idle_see(const struct conn *c, struct idle_view *out); /* false: it has no idle_timeout */
void idle_restore(struct conn *c, const struct idle_view *v);

void idle_end(struct conn *c); /* also where it never began */

#endif
