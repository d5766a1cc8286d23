/* The pid file of -p: locked as long as superd lives, so that there is one superd for it. */
#ifndef OS_PIDFILE_H
#define OS_PIDFILE_H

#include <sys/types.h>

/* Creates or takes the file and writes our pid into it.  Returns a descriptor, which holds the
 * lock, or -1 with errno; EWOULDBLOCK: somebody else has it, and *owner is who (0: not known). */
int pidfile_take(const char *path, pid_t *owner);

/* Removes the file if it still is the one that the descriptor holds, and closes that. */
void pidfile_remove(const char *path, int *fd);

#endif
