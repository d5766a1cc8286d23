/* Descriptors: close-on-exec from birth, -1 when closed (invariant 5). */
#ifndef BASE_FD_H
#define BASE_FD_H

/* Long-lived descriptors live at FD_HIGH and above, so that those of a connection are low: the
 * start of a child copies the descriptor table up to its connection and no further.  With 32, those
 * that are on their way at 64 clients did not fit below: with 10,000 ports, three quarters of the
 * speed, and a p99 three times as high. */
#define FD_HIGH 64

/* Opens /dev/null on whichever of 0, 1, 2 is missing (H15).  Exits 111 if that fails. */
void fd_sanitize(void);

/* Closes *fd if it is open and sets it to -1; errno is kept. */
void fd_close(int *fd);

/* Moves a descriptor to FD_HIGH or above, close-on-exec.  Returns the new number, or the old
 * one where the limit of descriptors leaves no room up there.  Of -1: -1. */
int fd_high(int fd);

#endif
