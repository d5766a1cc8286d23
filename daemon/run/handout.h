/* What a process in mode "wait" is handed: the listening sockets of its service, as 0 and 1 and
 * from PLAN_LISTEN_FD on, and the variables that tell it so, as sd_listen_fds(3) has them.
 *
 * Whose turn it is to be handed them is wait.h's.  Refuses to look at a socket that it names: it
 * may be gone by then. */
#ifndef RUN_HANDOUT_H
#define RUN_HANDOUT_H

#include "daemon/run/waiter.h"

struct handout {
	int fds[PLAN_LISTENERS_MAX];
	const struct listener *listeners[PLAN_LISTENERS_MAX]; /* to compare, they may be gone */
	int count;
	char fds_text[24], pid_text[sizeof "LISTEN_PID=" + PLAN_PID_MAX];
	char names[]; /* LISTEN_FDNAMES=… */
};

/* Of all that a waiter has; the first of its processes finds them blocking.  To be freed. */
struct handout *handout_new(const struct waiter *w);

/* Of a process that an earlier program started: which of its unit's sockets it has. */
struct handout *handout_restored(const struct unit *u, const bool *has);

/* The first socket once more, for 0 and 1; or -1 with errno. */
int handout_copy_first(const struct handout *h);

/* Into what is done before the start, and, with a NULL at the end, into the environment. */
void handout_plan(struct handout *h, struct plan *plan);
void handout_environ(const struct handout *h, const char **envp);

bool handout_has(const struct handout *h, const struct listener *l);

/* Are all of them still the unit's? */
bool handout_is_of(const struct handout *h, const struct unit *u);

#endif
