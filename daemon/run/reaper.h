/* Every child that ends is reaped, ours or a stranger's (superd may be PID 1), and a handler's
 * end closes its connection in the books (H26). */
#ifndef RUN_REAPER_H
#define RUN_REAPER_H

#include "daemon/run/state.h"

/* On SIGCHLD: until there is no more. */
void reap(struct daemon *d);

#endif
