/* Has a program done anything?  By how often it and its descendants were put on a processor. */
#ifndef OS_TASKS_H
#define OS_TASKS_H

#include <stdint.h>
#include <sys/types.h>

/* A number that changes when any of them runs, or comes, or goes; 0 if there is none. */
uint64_t tasks_runs(pid_t pid);

#endif
