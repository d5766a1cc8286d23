/* The end of a handler that does not end by itself: TERM to its process group, grace, KILL (H29);
 * and the two reasons for it that time brings, `timeout` and `idle_timeout`. */
#ifndef RUN_DEADLINE_H
#define RUN_DEADLINE_H

#include "daemon/run/state.h"

/* The handler has started: its time runs. */
void deadline_begin(struct conn *c);

/* The same after an upgrade, with whatever was left; also of one that was told to stop. */
void deadline_restore(struct conn *c);

/* It has exited: no more timers but that of the grace, which conn_close frees. */
void deadline_cancel(struct conn *c);

/* Its time is over, by the key of that name: says so, and tells it to stop; nothing if it has been
 * told already. */
void deadline_expire(struct conn *c, const char *key);

/* Tells the handler to stop; a second call does nothing. */
void deadline_end(struct conn *c);

#endif
