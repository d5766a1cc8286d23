/* Listening sockets: opened with patience, polled while there is room, and never closed by a
 * limit (H11).  Accepts; what becomes of an accepted connection is launch.h's. */
#ifndef RUN_LISTENER_H
#define RUN_LISTENER_H

#include "daemon/run/state.h"

/* Makes the unit's listeners and opens what can be opened now; the rest is tried again with
 * back-off (H10).  Returns how many are open. */
size_t listeners_open(struct unit *u);

/* Closes all of them and removes their files; connections live on. */
void listeners_close(struct unit *u);

/* The parts of these, for a reload, in which a listener may be bound first and polled later, and
 * may go from one service to another with those who wait in its backlog. */

/* Not open, and in no service's list yet.  `wanted` is borrowed from the unit's configuration. */
struct listener *listener_new(struct unit *u, const struct addr *wanted);

/* Opens it as this service wants it, without polling it.  0, or -1 with errno, and *call names what
 * failed. */
int listener_bind(struct listener *l, const struct service *s, const char **call);

/* After an upgrade: its descriptor is open already. */
void listener_restore(struct listener *l);

void listener_attach(struct listener *l, struct unit *u, const struct addr *wanted);

/* Out of its service's list; it is polled whatever it waited for. */
void listener_detach(struct listener *l);

/* Attached anew: polls it if it is not; if it is, the socket takes its service's options. */
void listener_renew(struct listener *l);

/* Closes it, removes its file.  It must be detached. */
void listener_free(struct listener *l);

/* As if somebody had come. */
void listener_serve(struct listener *l);

/* How many could not be opened yet. */
size_t listeners_missing(const struct unit *u);

#endif
