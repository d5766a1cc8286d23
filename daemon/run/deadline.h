/* The end of a handler that does not end by itself: TERM to its process group, grace, KILL
 * (H29). */
#ifndef RUN_DEADLINE_H
#define RUN_DEADLINE_H

#include "daemon/run/state.h"

/* Tells the handler to stop; a second call does nothing. */
void deadline_end(struct conn *c);

#endif
