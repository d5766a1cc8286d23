/* A daemon in the background, whose parent tells how the start went. */
#ifndef OS_DETACH_H
#define OS_DETACH_H

/* Returns in a new process, in a session of its own.  The calling one waits until detach_done()
 * and exits 0, or exits as the new one does when it ends before that.
 * Returns a descriptor for detach_done(); fatal() where there is no process to be had. */
int detach(void);

/* The start is over: lets the parent go, and the terminal. */
void detach_done(int *fd);

#endif
