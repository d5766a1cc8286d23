/* The table of live connections, by pid, and what the log says at their two ends. */
#ifndef RUN_CONNS_H
#define RUN_CONNS_H

#include "daemon/run/state.h"

#include <sys/resource.h>

/* A connection that has been admitted; takes the descriptor.  It has an id and is in no book yet:
 * launch() enters it, or the queue, or conn_refuse(). */
struct conn *conn_new(struct unit *u, int fd, const struct ends *e);

/* Who it was was not admitted after all: says so to the client, and frees it. */
void conn_refuse(struct conn *c);

/* Does superd keep a copy of the connections of such a service? */
bool conn_keeps_copy(const struct service *s, const struct config *config);

/* Into the books: it takes a place of the service and of its source from now on. */
void conn_enter(struct conn *c);

/* Out of the books again, and it was never in them: its handler could not be started yet. */
void conn_withdraw(struct conn *c);

/* It counts for another source from now on: its proxy has declared the client.  NULL: for none. */
void conn_set_source(struct conn *c, struct source *s);

/* For an upgrade: one that lives under a service of `config`, in the books of its unit but not
 * yet in those of its source; and one whose handler is gone, and that lingers. */
struct conn *conn_restore(
	struct unit *u, struct config *config, const struct service *service, pid_t pid);
void conn_restore_lingering(struct conn *c, int fd, uint64_t end_ms);
void conn_restore_source(struct conn *c);

/* Its handler has started. */
void conn_started(struct conn *c, pid_t pid);

struct conn *conn_find(const struct daemon *d, pid_t pid);

/* Its handler has exited, or could not be started (pid 0, used NULL): gives its place back and
 * lets those who wait know.  The close event follows at once, or when the lingering close ends. */
void conn_close(struct conn *c, int wait_status, const struct rusage *used);

#endif
