/*
 * signals: those that a program with a loop and children of its own reads, from a descriptor.
 *
 * SIGCHLD, and what asks it to end: TERM, INT, HUP.  They are blocked, so none interrupts anything.
 * It refuses to run handlers.
 */
#ifndef HANDLERS_COMMON_SIGNALS_H
#define HANDLERS_COMMON_SIGNALS_H

/* From now on they are read: the descriptor, non-blocking and close-on-exec, or -1 with errno. */
int signals_open(void);

/* The number of the next one that came; 0: there is none. */
int signals_next(int fd);

/* In a child, before it becomes another program: all at their default, none blocked. */
void signals_reset(void);

#endif
