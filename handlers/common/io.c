#include "handlers/common/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

uint64_t io_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* EAGAIN has two meanings.  On a blocking socket the time of io_limit_stall() ran out; a descriptor
 * that was handed to us non-blocking only asks for patience. */
bool io_may_retry(int fd)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };

	if (errno == EINTR)
		return true;
	if (errno != EAGAIN)
		return false;
	if (fcntl(fd, F_GETFL) & O_NONBLOCK)
		return poll(&room, 1, -1) > 0 || errno == EINTR;
	errno = ETIMEDOUT;
	return false;
}

static int write_all(int fd, const char *data, size_t len, int flags)
{
	bool plain = flags == 0;

	while (len > 0) {
		ssize_t n = plain ? write(fd, data, len) : send(fd, data, len, flags);

		if (n < 0 && !plain && errno == ENOTSOCK) {
			plain = true;
		} else if (n < 0) {
			if (!io_may_retry(fd))
				return -1;
		} else {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int io_write_all(int fd, const void *data, size_t len)
{
	return write_all(fd, data, len, 0);
}

int io_write_more(int fd, const void *data, size_t len)
{
	return write_all(fd, data, len, MSG_MORE);
}

ssize_t io_read(int fd, void *buf, size_t size)
{
	struct pollfd input = { .fd = fd, .events = POLLIN };
	ssize_t n;

	while ((n = read(fd, buf, size)) < 0 && (errno == EINTR || errno == EAGAIN))
		if (errno == EAGAIN)
			poll(&input, 1, -1);
	return n;
}

int io_wait_until(int fd, uint64_t deadline_ms)
{
	for (;;) {
		struct pollfd input = { .fd = fd, .events = POLLIN };
		uint64_t now = io_now_ms();
		int ready = poll(&input, 1, now < deadline_ms ? (int)(deadline_ms - now) : 0);

		if (ready > 0)
			return 0;
		if (ready == 0)
			errno = ETIMEDOUT;
		else if (errno == EINTR)
			continue;
		return -1;
	}
}

ssize_t io_read_until(int fd, void *buf, size_t size, uint64_t deadline_ms)
{
	while (io_wait_until(fd, deadline_ms) == 0) {
		ssize_t n = read(fd, buf, size);

		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			return n;
	}
	return -1;
}

void io_limit_stall(int fd, uint64_t stall_ms)
{
	struct timeval stall = { .tv_sec = (time_t)(stall_ms / 1000),
		.tv_usec = (suseconds_t)(stall_ms % 1000 * 1000) };

	/* Fails on a pipe or a terminal, where a person can see what waits for whom. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof(stall));
}

static bool peer_left(void)
{
	switch (errno) {
	case EPIPE:
	case ECONNRESET:
	case ETIMEDOUT:
	case EHOSTUNREACH: /* what a router said while TCP kept trying */
	case ENETUNREACH:
		return true;
	}
	return false;
}

int io_farewell(const char *program)
{
	if (peer_left())
		return 0;
	dprintf(2, "%s: %s\n", program, strerror(errno));
	return 111;
}

static ssize_t read_whole(int fd, char *buf, size_t size)
{
	struct stat st;
	size_t len = 0;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	while ((n = read(fd, buf + len, size - len)) != 0) {
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			len += (size_t)n;
		if (len == size) {
			/* Full: one byte more would be too long, the end is just right. */
			char more;

			if (read(fd, &more, 1) == 0)
				break;
			errno = EFBIG;
			return -1;
		}
	}
	return (ssize_t)len;
}

ssize_t io_read_file(const char *path, char *buf, size_t size)
{
	/* Non-blocking, because opening a FIFO would otherwise wait for somebody to write to it. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	ssize_t len;
	int error;

	if (fd < 0)
		return -1;
	len = read_whole(fd, buf, size);
	error = errno;
	close(fd);
	errno = error;
	return len;
}
