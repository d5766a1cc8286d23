/* What the kernel says of a process: superd does not look, because ten thousand looks would stall
 * its loop. */
#ifndef CTL_PROC_H
#define CTL_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc {
	char state; /* as in ps(1) */
	uint64_t cpu_ms;
	uint64_t memory_kb; /* resident */
	char name[32];
};

/* False: there is none. */
bool proc_read(pid_t pid, struct proc *out);

#endif
