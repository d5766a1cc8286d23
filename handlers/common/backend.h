/*
 * backend: a program that is started when it is needed and stopped when it is not.
 *
 * It leads a process group of its own, and a stop is one of the whole group: TERM, a grace, KILL.
 * If the program itself ends, the rest of its group is stopped likewise, so a program that puts
 * itself into the background is none for us.  There is at most one at a time.
 *
 * It refuses to wait: the caller's loop reports SIGCHLD and the time.  It does not know when a
 * program is ready; who can connect to it does.
 */
#ifndef HANDLERS_COMMON_BACKEND_H
#define HANDLERS_COMMON_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

enum backend_state { BACKEND_DOWN, BACKEND_RUNNING, BACKEND_STOPPING };

struct backend {
	char **argv; /* borrowed */
	uint64_t grace_ms;
	struct rlimit nofile; /* the program's */

	enum backend_state state;
	pid_t group;
	int status;          /* of the program itself, once it has ended, as wait(2) has it */
	uint64_t kill_at_ms; /* while stopping */
};

/* From now on the orphans among the program's descendants are ours, and their end is seen. */
void backend_adopt(void);

/* 0 on /dev/null, 1 where 2 is, no other descriptor but those that are not close-on-exec.  The
 * state must be BACKEND_DOWN.  0, or -1 with errno. */
int backend_start(struct backend *b);

/* TERM to the group; from then on backend_tick() looks after it. */
void backend_stop(struct backend *b, uint64_t now_ms);

/* After SIGCHLD: reaps all there are.  True if the program itself has ended by itself just now. */
bool backend_reap(struct backend *b, uint64_t now_ms);

/* While it is stopping, every now and then: KILL when the grace is over. */
void backend_tick(struct backend *b, uint64_t now_ms);

#endif
