/* Processes that a handler left behind in its own process group when it exited.  They may be
 * meant (a job in the background); but when superd stops, stop means stop (H29, H31). */
#ifndef RUN_LEFTOVER_H
#define RUN_LEFTOVER_H

#include "daemon/run/state.h"

/* Makes superd the parent of its handlers' orphans, so that it learns of their end. */
void leftover_adopt(void);

/* A handler was reaped: remembers its process group if somebody is still in it.  Had it been told
 * to stop, the rest of its group is killed at that time; 0: it was not. */
void leftover_watch(struct daemon *d, pid_t group, uint64_t kill_at_ms);

/* For an upgrade: the groups that are left, and when they are killed (0: not). */
void leftovers_each(const struct daemon *d,
	void (*each)(pid_t group, uint64_t kill_at_ms, void *context), void *context);

/* Some orphan was reaped: forgets the groups that are empty now, before their number can be
 * used again for somebody else. */
void leftover_check(struct daemon *d);

/* A signal to all groups that are left.  False if there is none. */
bool leftover_kill(struct daemon *d, int signal);

void leftovers_free(struct daemon *d);

#endif
