/* Another program for a running superd: the same process becomes it, with its listeners, its
 * connections and its children (H50).
 *
 * Fallible first (invariant 4).  The new program is started beside the old one to say whether it
 * can read the configuration and the state; the loop goes on meanwhile.  If it says yes, the state
 * is taken once more and superd execs it.  Whatever goes wrong before that, or if the exec fails,
 * the old one serves on. */
#ifndef RUN_UPGRADE_H
#define RUN_UPGRADE_H

#include "daemon/run/state.h"

/* On USR2, or when it is asked for.  What came of it is told by the log, and to the clients of
 * the control socket that wait for it. */
void upgrade(struct daemon *d);

/* True if it was the new program that was asked. */
bool upgrade_reaped(struct daemon *d, pid_t pid, int wait_status);

/* Between two turns of the loop: superd becomes the new program, if it is time to. */
void upgrade_check(struct daemon *d);

void upgrade_free(struct daemon *d);

#endif
