/* idle_exit, of mode "wait": a process that has had nothing to do for so long is told to stop.
 *
 * superd does not see the clients of such a process.  It looks a few times in that span whether
 * anything moved on the sockets (activity.h), and of streams whether the process ran or has
 * clients.  Refuses to wake up for each that comes. */
#ifndef RUN_WAIT_IDLE_H
#define RUN_WAIT_IDLE_H

#include "daemon/run/waiter.h"

/* Somebody has come, or was found there: looks again and again, where the service asks for it. */
void wait_idle_watch(struct waiter *w);

/* Is a look to come? */
bool wait_idle_watches(const struct waiter *w);

#endif
