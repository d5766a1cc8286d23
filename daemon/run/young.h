/* Handlers that began a moment ago.  Under load most handlers end before they leave this list, and
 * two costs are theirs to be spared: their stderr is not polled, but looked at when they exit; and
 * they are few, whatever else lives, so the reaper can ask for each of them by number. */
#ifndef RUN_YOUNG_H
#define RUN_YOUNG_H

#include "daemon/run/state.h"

/* A handler was started. */
void young_begin(struct conn *c);

/* It has exited.  Nothing, if it is not young any more, or was started by superd before an
 * upgrade. */
void young_end(struct conn *c);

/* At the end of superd. */
void young_free(struct daemon *d);

#endif
