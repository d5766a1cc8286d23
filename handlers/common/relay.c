#include "handlers/common/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "handlers/common/io.h"

enum {
	PIECE = 1 << 20, /* of one splice: as much as a pipe can hold */
	TURN = 4 << 20,  /* bytes of one flow before others get their turn */
};

static bool is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

int relay_init(struct relay *r)
{
	*r = (struct relay){ .up.pipe = { -1, -1 }, .down.pipe = { -1, -1 } };
	if (pipe2(r->up.pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	if (pipe2(r->down.pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
		int error = errno;

		relay_close(r);
		errno = error;
		return -1;
	}
	return 0;
}

static void connect_flow(struct relay_flow *f, int in, int out)
{
	f->in = in;
	f->out = out;
	f->in_socket = is_socket(in);
	f->out_socket = is_socket(out);
}

void relay_connect(struct relay *r, int client_in, int client_out, int server)
{
	connect_flow(&r->up, client_in, server);
	connect_flow(&r->down, server, client_out);
}

/* Of what is no socket we ask first: its flags are somebody else's, it may block. */
static bool is_ready(int fd, short events)
{
	struct pollfd one = { .fd = fd, .events = events };

	if (poll(&one, 1, 0) > 0)
		return true;
	errno = EAGAIN;
	return false;
}

static ssize_t take(struct relay_flow *f)
{
	char buf[PIPE_BUF];
	ssize_t n;

	if (!f->in_socket && !is_ready(f->in, POLLIN))
		return -1;
	n = splice(f->in, NULL, f->pipe[1], NULL, PIECE, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n >= 0 || errno != EINVAL)
		return n;
	/* PIPE_BUF bytes fit into an empty pipe, all at once. */
	if (f->held > 0) {
		errno = EAGAIN;
		return -1;
	}
	n = read(f->in, buf, sizeof(buf));
	return n > 0 ? write(f->pipe[1], buf, (size_t)n) : n;
}

/* Thrown away, or copied: so much of the pipe's content at a time.  A pipe that can be written to
 * takes PIPE_BUF bytes without blocking. */
static ssize_t give_copy(struct relay_flow *f)
{
	char buf[PIPE_BUF];
	ssize_t n = read(f->pipe[0], buf, sizeof(buf));

	if (n > 0 && !f->discard && io_write_all(f->out, buf, (size_t)n) < 0)
		return -1;
	return n;
}

static ssize_t give(struct relay_flow *f)
{
	ssize_t n;

	if (f->discard)
		return give_copy(f);
	if (!f->out_socket && !is_ready(f->out, POLLOUT))
		return -1;
	n = splice(f->pipe[0], NULL, f->out, NULL, f->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	return n < 0 && errno == EINVAL ? give_copy(f) : n;
}

static bool may_wait(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* All of it has been passed on, and the other side is told that there is no more. */
static enum relay_state finish(struct relay_flow *f)
{
	if (f->error) {
		errno = f->error;
		return RELAY_FAILED;
	}
	if (!f->discard && !f->out_socket)
		close(f->out);
	else if (!f->discard)
		(void)shutdown(f->out, SHUT_WR); /* fails if it has gone: then it knows */
	f->done = true;
	return RELAY_DONE;
}

/* After EAGAIN from both, either the pipe is empty and so is in, or out is full: in both cases
 * the one that holds us up will report a change. */
static enum relay_state pump(struct relay_flow *f, bool may_discard, bool *out_failed)
{
	size_t moved = 0;
	bool going = true;

	while (going) {
		ssize_t n;

		going = false;
		if (f->done)
			return RELAY_DONE;
		if (!f->ended) {
			n = take(f);
			if (n > 0)
				f->held += (size_t)n;
			else if (n == 0 || !may_wait())
				f->ended = true;
			if (n < 0 && f->ended)
				f->error = errno;
			going = n > 0;
		}
		if (f->held > 0) {
			n = give(f);
			if (n >= 0) {
				f->held -= (size_t)n;
				moved += (size_t)n;
				going = true;
			} else if (!may_wait()) {
				*out_failed = true;
				if (!may_discard)
					return RELAY_FAILED;
				f->discard = going = true;
			}
		}
		if (f->ended && f->held == 0)
			return finish(f);
		if (moved >= TURN)
			return RELAY_MORE;
	}
	return RELAY_WAIT;
}

enum relay_state relay_pump(struct relay *r)
{
	bool out_failed = false;
	enum relay_state up, down;

	/* A server may answer and close while the client still sends: the answer counts. */
	up = pump(&r->up, true, &out_failed);
	if (up == RELAY_FAILED)
		return RELAY_FAILED;
	out_failed = false;
	down = pump(&r->down, false, &out_failed);
	if (down == RELAY_FAILED) {
		r->server_failed = !out_failed;
		return RELAY_FAILED;
	}
	if (up == RELAY_MORE || down == RELAY_MORE)
		return RELAY_MORE;
	return up == RELAY_DONE && down == RELAY_DONE ? RELAY_DONE : RELAY_WAIT;
}

bool relay_drains(const struct relay *r)
{
	return r->down.done && r->up.discard && !r->up.done;
}

static void close_pipe(struct relay_flow *f)
{
	for (int i = 0; i < 2; i++) {
		if (f->pipe[i] >= 0)
			close(f->pipe[i]);
		f->pipe[i] = -1;
	}
}

void relay_close(struct relay *r)
{
	close_pipe(&r->up);
	close_pipe(&r->down);
}

void relay_reset(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}
