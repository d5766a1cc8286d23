/* Stopping: no new connections, then time to finish (stop_timeout), then TERM, then KILL.
 * When superd is gone, its handlers are gone (H31). */
#ifndef RUN_STOP_H
#define RUN_STOP_H

#include "daemon/run/state.h"

/* On TERM and INT.  The second call ends the drain. */
void stop(struct daemon *d, const char *signal);

/* The loop asks whether there is anything left to wait for. */
void stop_check(struct daemon *d);

#endif
