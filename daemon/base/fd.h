/* Descriptors: close-on-exec from birth, -1 when closed (invariant 5). */
#ifndef BASE_FD_H
#define BASE_FD_H

/* The start of a child costs what it copies of the descriptor table: all of it where few are open,
 * and up to the child's own connection where they are many (os/start.h).  A table that ends below
 * 64 lies in the kernel's own structure; a longer one it has to allocate, which takes 2 per cent of
 * the connections a second.  So
 *   - what superd itself holds stays below FD_SETTLED while there is room;
 *   - connections on their way take the lowest numbers that are free;
 *   - whatever there may be thousands of and stays for long is at FD_HIGH and above.  There are
 *     96 numbers between: those on their way at 64 clients did not fit into 22, and with 10,000
 *     ports that was a quarter of the speed, and a p99 three times as high. */
#define FD_SETTLED 32
#define FD_HIGH 128

/* Opens /dev/null on whichever of 0, 1, 2 is missing (H15).  Exits 111 if that fails. */
void fd_sanitize(void);

/* Closes *fd if it is open and sets it to -1; errno is kept. */
void fd_close(int *fd);

/* Moves a descriptor to `least` or above, close-on-exec.  Returns the new number, or the old one
 * where the limit of descriptors leaves no room up there.  Of -1: -1. */
int fd_raise(int fd, int least);

/* The same with FD_HIGH. */
int fd_high(int fd);

/* For what superd itself holds: as fd_high, but one below FD_SETTLED stays where it is. */
int fd_settle(int fd);

#endif
