/* The child's side of a start: walk the plan's steps, then exec.
 * It may share memory with superd until the exec, so it makes raw system calls only: no errno,
 * no malloc, no stdio, nothing written that the parent reads but its own slot (H16). */
#ifndef OS_STEPS_H
#define OS_STEPS_H

#include "daemon/model/plan.h"

#include <sys/types.h>

/* What a child tells through the shared pipe; shorter than PIPE_BUF, so it arrives whole. */
struct report {
	pid_t pid;
	int32_t step;   /* enum step */
	int32_t result; /* -errno: it failed here; else (in the tour) what the call returned */
};

/* The two descriptors that every child keeps until its exec. */
#define STEPS_REPORT_FD 3 /* write end of the pipe of struct report */
#define STEPS_WAKE_FD 4   /* eventfd: wakes a sleeping parent once the child has its own table */

/* Called by the child once it has its own descriptor table. */
struct steps_hook {
	void (*have_own_files)(void *context);
	void *context;
};

/* Walks the plan and execs.  Never returns: a failure is reported, then exit 126 or 127. */
void steps_walk(const struct plan *p, struct steps_hook hook) __attribute__((noreturn));

#endif
