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

/* A service is full and a client waits for it: says so, once. */
void listeners_tell_full(struct unit *u);

/* Something is short: those who wait are tried again in a moment. */
void listeners_retry(struct daemon *d);

/* A handler ended or a descriptor came free: somebody who waits may have room now. */
void listeners_room(struct unit *u);

#endif
