/* The table of live connections, by pid, and what the log says at their two ends. */
#ifndef RUN_CONNS_H
#define RUN_CONNS_H

#include "daemon/run/state.h"

#include <sys/resource.h>

/* A connection that has been accepted: it has an id and is counted, but has no pid yet. */
struct conn *conn_new(struct unit *u, const struct addr *peer);

/* Its handler has started. */
void conn_started(struct conn *c, pid_t pid, const struct addr *local);

struct conn *conn_find(const struct daemon *d, pid_t pid);

/* Its handler has exited (pid set), or could not be started (pid 0): counts it, logs it, frees
 * it, and lets those who wait for room know. */
void conn_close(struct conn *c, int wait_status, const struct rusage *used);

#endif
