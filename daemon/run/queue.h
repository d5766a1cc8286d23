/* The fair queue of a full service: a bounded number of accepted connections that wait, each
 * source in a lane of its own, and the lanes take turns.  So one source with five hundred waiting
 * connections delays another by one handler and not by five hundred. */
#ifndef RUN_QUEUE_H
#define RUN_QUEUE_H

#include "daemon/run/state.h"

/* Puts a connection (with c->source set) at the end of its source's lane. */
void queue_add(struct conn *c);

/* Puts one back that had its turn, as the next of its lane and its lane as the next: its handler
 * could not be started, and will be tried again. */
void queue_put_back(struct conn *c);

/* The service has got a place: starts a handler for whose turn it is; where there is a limit of all
 * services together, in any service. */
void queue_serve(struct unit *u);

/* The same for all that wait, as long as there are places.  Services take turns, or one that is
 * never idle would keep the places of all for itself; and so do those who wait here and those who
 * wait in the kernel, whose services have no queue.  Of many, some are started now and the others
 * in the next turns of the loop. */
void queue_serve_all(struct daemon *d);

/* Those that wait, in the order of their lanes. */
void queue_each(
	const struct unit *u, void (*each)(const struct conn *c, void *context), void *context);

/* Refuses all that wait, because superd stops. */
void queue_refuse_all(struct unit *u);

#endif
