/* Three kinds of target, one promise: no write here ever waits.
 *
 *   a stream (file, pipe, terminal): queued, then written through a description of our own
 *     that is non-blocking.  The description of the stderr we were given is shared with the
 *     shell that started us; setting O_NONBLOCK on that one would break the shell.
 *   a stream that cannot be reopened (a socket, no /proc): MSG_DONTWAIT, or poll(2) first.
 *   a datagram socket (syslog, the journal): one datagram a line, MSG_DONTWAIT. */
#include "daemon/base/sink.h"

#include "daemon/base/clock.h"
#include "daemon/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define QUEUE_BYTES 65536

enum way { WAY_WRITE, WAY_POLL, WAY_SEND };

static struct {
	int fd; /* -1: lines go to fd 2 as it is */
	enum way way;
	enum log_target target;
	struct sockaddr_un peer; /* of a datagram target */
	size_t start, end;       /* of what is queued */
	uint64_t dropped, told;
	char queue[QUEUE_BYTES];
} sink = { .fd = -1, .way = WAY_POLL };

static int open_stderr(enum way *way)
{
	struct stat st;
	int fd;

	if (fstat(STDERR_FILENO, &st) < 0)
		return -1;
	fd = S_ISSOCK(st.st_mode) ? -1
				  : open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK |
								    O_NOCTTY | O_CLOEXEC);
	*way = WAY_WRITE;
	if (fd < 0) {
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
		*way = S_ISSOCK(st.st_mode) ? WAY_SEND : WAY_POLL;
	}
	return fd;
}

static int open_datagram(const char *path, struct sockaddr_un *peer)
{
	int fd;

	*peer = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof peer->sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(peer->sun_path, path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Not connected: the log daemon may start later or be restarted. */
	return fd;
}

int sink_open(enum log_target target, const char *path)
{
	enum way way = WAY_WRITE;
	struct sockaddr_un peer = { 0 };
	int fd = -1;

	switch (target) {
	case LOG_STDERR:
		fd = open_stderr(&way);
		break;
	case LOG_FILE:
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
			0640);
		break;
	case LOG_SYSLOG:
		fd = open_datagram(path ? path : "/dev/log", &peer);
		break;
	case LOG_JOURNAL:
		fd = open_datagram(path ? path : "/run/systemd/journal/socket", &peer);
		break;
	}
	if (fd < 0)
		return -1;
	sink_drain(0);
	fd_close(&sink.fd);
	sink.fd = fd_settle(fd);
	sink.way = way;
	sink.target = target;
	sink.peer = peer;
	return 0;
}

static bool datagram(void)
{
	return sink.target == LOG_SYSLOG || sink.target == LOG_JOURNAL;
}

static void drop(void)
{
	sink.dropped++;
}

static void send_datagram(int priority, const char *line, size_t len)
{
	char head[128];
	int n = sink.target == LOG_SYSLOG
			? snprintf(head, sizeof head, "<%d>superd[%d]: ", 3 << 3 | priority,
				  (int)getpid())
			: snprintf(head, sizeof head,
				  "PRIORITY=%d\nSYSLOG_IDENTIFIER=superd\nMESSAGE=", priority);
	/* syslog wants the line without its newline, the journal's protocol wants it. */
	struct iovec parts[2] = { { head, (size_t)n },
		{ (char *)line, sink.target == LOG_SYSLOG ? len - 1 : len } };
	struct msghdr m = { .msg_name = &sink.peer,
		.msg_namelen = sizeof sink.peer,
		.msg_iov = parts,
		.msg_iovlen = 2 };

	if (sendmsg(sink.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		drop();
}

static void enqueue(const char *line, size_t len)
{
	if (sink.start == sink.end)
		sink.start = sink.end = 0;
	if (len > QUEUE_BYTES - sink.end && sink.start) {
		memmove(sink.queue, sink.queue + sink.start, sink.end - sink.start);
		sink.end -= sink.start;
		sink.start = 0;
	}
	if (len > QUEUE_BYTES - sink.end) {
		drop();
		return;
	}
	memcpy(sink.queue + sink.end, line, len);
	sink.end += len;
}

void sink_line(int priority, const char *line, size_t len)
{
	if (datagram()) {
		send_datagram(priority, line, len);
		return;
	}
	if (len > QUEUE_BYTES - (sink.end - sink.start))
		sink_flush();
	enqueue(line, len);
}

static ssize_t write_some(const char *bytes, size_t n)
{
	int fd = sink.fd >= 0 ? sink.fd : STDERR_FILENO;
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	switch (sink.way) {
	case WAY_SEND:
		return send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	case WAY_POLL:
		/* A pipe that polls writable takes PIPE_BUF bytes without waiting. */
		if (poll(&p, 1, 0) <= 0) {
			errno = EAGAIN;
			return -1;
		}
		return write(fd, bytes, n < PIPE_BUF ? n : PIPE_BUF);
	case WAY_WRITE:
		break;
	}
	return write(fd, bytes, n);
}

bool sink_flush(void)
{
	while (sink.start < sink.end) {
		ssize_t n = write_some(sink.queue + sink.start, sink.end - sink.start);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOSPC || errno == EDQUOT))
			return false;
		if (n <= 0) {
			/* Nobody will ever read it (EPIPE, EIO): keep the loop going. */
			drop();
			sink.start = sink.end = 0;
			return true;
		}
		sink.start += (size_t)n;
		if (sink.start == sink.end)
			sink.start = sink.end = 0;
	}
	return true;
}

void sink_drain(int wait_ms)
{
	uint64_t end = clock_ms() + (uint64_t)wait_ms;

	while (!sink_flush()) {
		struct pollfd p = { .fd = sink.fd >= 0 ? sink.fd : STDERR_FILENO,
			.events = POLLOUT };
		uint64_t now = clock_ms();

		if (now >= end || poll(&p, 1, (int)(end - now)) <= 0)
			return;
	}
}

uint64_t sink_dropped(void)
{
	return sink.dropped;
}

uint64_t sink_untold(void)
{
	return sink.dropped - sink.told;
}

void sink_told(uint64_t lines)
{
	sink.told += lines;
}
