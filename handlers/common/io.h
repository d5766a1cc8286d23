/*
 * io: whole writes, reads with a deadline, small files read whole.
 *
 * Plain descriptors only: a handler's 0 and 1 are a socket under superd, but a pipe, a file or a
 * terminal by hand, and all of them work here.  It refuses to buffer, to allocate and to change
 * the flags of a descriptor: a terminal's are shared with the shell that started us.
 */
#ifndef HANDLERS_COMMON_IO_H
#define HANDLERS_COMMON_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The monotonic clock, in milliseconds: deadlines are points on it. */
uint64_t io_now_ms(void);

/* Writes it all.  0, or -1 with errno; ETIMEDOUT when io_limit_stall() says so. */
int io_write_all(int fd, const void *data, size_t len);

/* The same, and says that more follows at once, so that both can share a packet. */
int io_write_more(int fd, const void *data, size_t len);

/* read(2) that waits, on a descriptor that somebody made non-blocking too. */
ssize_t io_read(int fd, void *buf, size_t size);

/* Waits until there is something to read, or the end.  0, or -1 with errno: ETIMEDOUT. */
int io_wait_until(int fd, uint64_t deadline_ms);

/* read(2) that ends at the deadline: -1 with ETIMEDOUT. */
ssize_t io_read_until(int fd, void *buf, size_t size, uint64_t deadline_ms);

/* A peer that takes nothing for so long fails the write.  No effect on what is not a socket. */
void io_limit_stall(int fd, uint64_t stall_ms);

/* After a failed write or sendfile to fd, with its errno: worth another try?  May wait for room.
 * Otherwise errno says why not. */
bool io_may_retry(int fd);

/* The exit status after a failed read or write, from errno: 0 if it says no more than that the peer
 * left, which is its right; else 111, and the log is told what went wrong. */
int io_farewell(const char *program);

/* The whole regular file.  Its length, or -1 with errno: EFBIG when it is longer than size,
 * EINVAL when it is no regular file (and then it was not waited for, either). */
ssize_t io_read_file(const char *path, char *buf, size_t size);

#endif
