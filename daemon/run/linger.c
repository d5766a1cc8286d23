#include "daemon/run/linger.h"

#include "daemon/base/clock.h"
#include "daemon/base/fd.h"
#include "daemon/run/reserve.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define SILENCE_MS 2000  /* without a byte from the client */
#define LONGEST_MS 30000 /* in all */
#define DISCARD 65536    /* bytes a call */
#define CALLS 16         /* a wake-up */

/* Those who were refused and those who were served have a share of the descriptors each.  Beyond it
 * the oldest gives way, which had the most time.  So a flood of refusals can take neither what the
 * served need for their answers, nor the descriptors of all services (H3). */
struct lingering {
	TAILQ_ENTRY(lingering) all;
	struct daemon *daemon;
	struct lingers *in;
	struct event event; /* readable, or silence */
	int fd;
	uint64_t end_ms;
	void (*done)(void *context, int fd);
	void *context;
};

static void finish(struct lingering *l)
{
	TAILQ_REMOVE(&l->in->list, l, all);
	l->in->count--;
	event_del(&l->event);
	if (l->done)
		l->done(l->context, l->fd);
	fd_close(&l->fd);
	free(l);
}

/* False: the client has closed, or is gone. */
static bool discard(int fd)
{
	for (int i = 0; i < CALLS; i++) {
		ssize_t n = recv(fd, NULL, DISCARD, MSG_TRUNC | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (n == 0)
			return false;
	}
	return true;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct lingering *l = arg;

	start_after_wait(l->daemon->starter);
	if (what & EV_TIMEOUT || !discard((int)fd) || clock_ms() >= l->end_ms)
		finish(l);
}

void linger(struct daemon *d, int fd, void (*done)(void *context, int fd), void *context)
{
	shutdown(fd, SHUT_WR);
	linger_restore(d, fd_high(fd), clock_ms() + LONGEST_MS, done, context);
}

static void each_in(const struct lingers *in,
	void (*each)(int fd, uint64_t end_ms, void *lingers_for, void *context), void *context)
{
	const struct lingering *l;

	TAILQ_FOREACH (l, &in->list, all)
		each(l->fd, l->end_ms, l->context, context);
}

void lingers_each(const struct daemon *d,
	void (*each)(int fd, uint64_t end_ms, void *lingers_for, void *context), void *context)
{
	each_in(&d->refused_linger, each, context);
	each_in(&d->served_linger, each, context);
}

void linger_restore(struct daemon *d, int fd, uint64_t end_ms, void (*done)(void *context, int fd),
	void *context)
{
	const struct timeval silence = clock_span(SILENCE_MS);
	struct lingering *l = mem_new(sizeof *l);

	l->daemon = d;
	l->in = done ? &d->served_linger : &d->refused_linger;
	l->fd = fd;
	l->done = done;
	l->context = context;
	l->end_ms = end_ms;
	event_assign(&l->event, d->base, l->fd, EV_READ | EV_PERSIST, on_event, l);
	TAILQ_INSERT_TAIL(&l->in->list, l, all);
	l->in->count++;
	if (!discard(l->fd) || event_add(&l->event, &silence) < 0)
		finish(l);
	else if (l->in->count > reserve_share(d))
		finish(TAILQ_FIRST(&l->in->list));
}

bool lingers_any(const struct daemon *d)
{
	return d->refused_linger.count || d->served_linger.count;
}

static void end_in(struct lingers *in)
{
	while (!TAILQ_EMPTY(&in->list))
		finish(TAILQ_FIRST(&in->list));
}

void lingers_end(struct daemon *d)
{
	end_in(&d->refused_linger);
	end_in(&d->served_linger);
}
