/* Every child that ends is reaped, ours or a stranger's (superd may be PID 1), and a handler's
 * end closes its connection in the books (H26). */
#ifndef RUN_REAPER_H
#define RUN_REAPER_H

#include "daemon/run/state.h"

/* On SIGCHLD, which names one child; more may have ended with it.  Of those, one that has lived
 * for long may be left for a moment, where many are live. */
void reap(struct daemon *d, pid_t named);

/* All there are; if they are many, the rest in the next turns of the loop. */
void reap_all(struct daemon *d);

/* At the end of superd. */
void reaper_free(struct daemon *d);

#endif
