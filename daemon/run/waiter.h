/* Of mode "wait": who has which sockets.  For the parts of run/wait.c only; everybody else has
 * pointers to it. */
#ifndef RUN_WAITER_H
#define RUN_WAITER_H

#include "daemon/run/state.h"

struct waiter {
	struct unit *unit;
	struct listener *only; /* of datagrams; NULL: all of the unit's */
	bool orphan;           /* the owner is gone; freed when the last process is */
	uint32_t live;
	uint64_t mark; /* of the datagram for which the last one was started */
	unsigned pause_ms;
	struct event *pause; /* owned */
	struct event *look;  /* owned; of idle_exit */
	uint64_t moved_ms;   /* when something was seen to move, at the last look */
	uint64_t runs;       /* see tasks.h */
};

/* Goes through its sockets: `for (l = waiter_first(w); l; l = waiter_next(w, l))`. */
static inline struct listener *waiter_first(const struct waiter *w)
{
	return w->only ? w->only : TAILQ_FIRST(&w->unit->listeners);
}

static inline struct listener *waiter_next(const struct waiter *w, struct listener *l)
{
	return w->only ? NULL : TAILQ_NEXT(l, all);
}

#endif
