/* From an accepted connection to a running handler.  Decides everything before the child starts
 * (invariant 3) and never reads the connection (invariant 1). */
#ifndef RUN_LAUNCH_H
#define RUN_LAUNCH_H

#include "daemon/run/state.h"

/* Gets what a start will need and may be short of.  `from_reserve`: the reserve of descriptors has
 * just been given up for this start.  0, or -1 with errno. */
int launch_prepare(struct unit *u, bool from_reserve);

/* An accepted connection: admits it and launches its handler, or queues it, or refuses it.  Takes
 * `fd`; `peer` is what accept said.  Returns 0, or the errno of a shortage that makes it wise to
 * wait before the next accept. */
int launch_arrival(struct listener *l, int fd, const struct addr *peer);

/* Starts the handler of an admitted connection, and enters it into the books.  Returns 0, or the
 * errno of a shortage; then a client waits in the queue, as the next one, and what came by a
 * datagram or in mode "wait" has been closed, and that is logged. */
int launch(struct conn *c);

/* Are so many descriptors open that a child had better share the table at first (os/start.h)? */
bool launch_many_files(const struct daemon *d);

#endif
