#include "daemon/run/listener.h"

#include "daemon/base/fd.h"
#include "daemon/os/sockopt.h"
#include "daemon/run/activity.h"
#include "daemon/run/admit.h"
#include "daemon/run/launch.h"
#include "daemon/run/peers.h"
#include "daemon/run/poll.h"
#include "daemon/run/queue.h"
#include "daemon/run/reserve.h"
#include "daemon/run/room.h"
#include "daemon/run/tour.h"
#include "daemon/run/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ACCEPT_BATCH 16 /* a wake-up; a flood here must not starve the others (H4) */
#define RETRY_FIRST_MS 250
#define RETRY_LAST_MS 30000
#define TELL_LISTENERS 64 /* more than these are told one by one only with -v */

/* ---- accepting */

/* What accept(2) may say of a connection that is already gone, or of the network (H5). */
static bool transient(int error)
{
	switch (error) {
	case ECONNABORTED:
	case EPROTO:
	case EINTR:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case EPERM:
	case ETIMEDOUT:
		return true;
	}
	return false;
}

/* All that can fail for want of descriptors comes before the accept: once a client has been
 * accepted it is served.  The connection, or -1 with errno. */
static int try_accept(struct listener *l, struct addr *peer, bool from_reserve)
{
	if (launch_prepare(l->unit, from_reserve) < 0)
		return -1;
	*peer = (struct addr){ .kind = l->addr.kind, .len = sizeof peer->un };
	return accept4(l->fd, &peer->sa, &peer->len, SOCK_CLOEXEC);
}

/* True if another connection may be accepted at once. */
static bool accept_one(struct listener *l)
{
	struct unit *u = l->unit;
	struct addr peer;
	int fd;

	if (admit_room(u) != ROOM) {
		room_wait(l);
		return false;
	}
	fd = try_accept(l, &peer, false);
	if (fd < 0 && reserve_release_for(u))
		fd = try_accept(l, &peer, true);
	if (fd >= 0) {
		int error = launch_arrival(l, fd, &peer);

		reserve_fill(u->daemon);
		if (error)
			room_suspend(l, error);
		return !error;
	}
	if (transient(errno))
		return true;
	if (errno != EAGAIN)
		room_suspend(l, errno);
	return false;
}

static void on_clients(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;
	struct unit *u = l->unit;

	(void)fd;
	(void)what;
	start_after_wait(u->daemon->starter);
	/* Whoever has it may make it block, and accept(2) has no flag against that (H1). */
	if (l->lent)
		sockopt_block(l->fd, false);
	for (int i = 0; i < ACCEPT_BATCH; i++)
		if (!accept_one(l))
			break;
	room_pass_on(u);
}

static void on_datagrams(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	start_after_wait(l->unit->daemon->starter);
	peers_readable(l);
	room_pass_on(l->unit);
}

static void on_somebody(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	start_after_wait(l->unit->daemon->starter);
	wait_readable(l);
	room_pass_on(l->unit);
}

static event_callback_fn callback_of(const struct service *s)
{
	if (s->wait)
		return on_somebody;
	return s->datagrams ? on_datagrams : on_clients;
}

void listener_serve(struct listener *l)
{
	callback_of(l->unit->service)(l->fd, EV_READ, l);
}

/* ---- opening and closing */

static void tell_listen(const struct listener *l)
{
	bool many = l->unit->service->listen_count > TELL_LISTENERS ||
		    l->unit->daemon->units_count > TELL_LISTENERS;
	char text[ADDR_TEXT_MAX];
	struct log_line line;

	/* A port that the kernel chose is news in any case. */
	if (!addr_is_unix(l->wanted) && addr_port(l->wanted) == 0)
		many = false;
	log_begin(&line, many ? LOG_INFO : LOG_NOTICE, "listen");
	log_str(&line, "service", l->unit->service->name);
	log_str(&line, "addr", addr_format(&l->addr, text));
	log_end(&line);
}

static void tell_listen_failed(const struct listener *l, const char *call, int error)
{
	char text[ADDR_TEXT_MAX];
	struct log_line line;

	log_begin(&line, LOG_ERROR, "listen");
	log_str(&line, "service", l->unit->service->name);
	log_str(&line, "addr", addr_format(l->wanted, text));
	log_str(&line, "call", call);
	log_str(&line, "error", strerror(error));
	log_num(&line, "retry_ms", l->retry_ms);
	log_end(&line);
}

static void on_retry(evutil_socket_t fd, short what, void *arg);

static void retry_later(struct listener *l)
{
	l->retry_ms = l->retry_ms == 0 ? RETRY_FIRST_MS : l->retry_ms * 2;
	if (l->retry_ms > RETRY_LAST_MS)
		l->retry_ms = RETRY_LAST_MS;
	poll_after(&l->retry, l->unit->daemon->base, l->retry_ms, on_retry, l);
}

/* As its service wants it; of an open one the service may be another since a reload. */
static void poll_it(struct listener *l)
{
	const struct service *s = l->unit->service;

	event_assign(
		&l->event, l->unit->daemon->base, l->fd, EV_READ | EV_PERSIST, callback_of(s), l);
	if (event_add(&l->event, NULL) < 0)
		fatal("cannot poll: %m");
	if (l->unit->state == UNIT_PAUSED)
		room_stop(l);
	else if (s->wait)
		wait_refresh(l);
}

static void poll_begin(struct listener *l)
{
	l->retry_ms = 0;
	l->unit->daemon->listeners_open++;
	poll_it(l);
}

struct listener *listener_new(struct unit *u, const struct addr *wanted)
{
	struct listener *l = mem_new(sizeof *l);

	l->unit = u;
	l->wanted = wanted;
	l->fd = -1;
	return l;
}

int listener_bind(struct listener *l, const struct service *s, const char **call)
{
	l->fd = sock_listen(l->wanted, s, &l->addr, &l->path, call);
	return l->fd < 0 ? -1 : 0;
}

/* Binds it if need be and polls it.  False: it could not be bound, and will be tried again. */
static bool begin(struct listener *l)
{
	const char *call;

	if (l->fd < 0 && listener_bind(l, l->unit->service, &call) < 0) {
		int error = errno;

		retry_later(l);
		tell_listen_failed(l, call, error);
		return false;
	}
	poll_begin(l);
	tell_listen(l);
	return true;
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	begin(arg);
}

void listener_restore(struct listener *l)
{
	poll_begin(l);
}

void listener_attach(struct listener *l, struct unit *u, const struct addr *wanted)
{
	l->unit = u;
	l->wanted = wanted;
	TAILQ_INSERT_TAIL(&u->listeners, l, all);
	u->listeners_count++;
	wait_moved(l);
}

void listener_detach(struct listener *l)
{
	if (l->waits_in)
		room_wake(l);
	TAILQ_REMOVE(&l->unit->listeners, l, all);
	l->unit->listeners_count--;
}

static void adjust(const struct listener *l)
{
	const char *call;

	if (sock_adjust(l->fd, &l->addr, &l->path, l->unit->service, &call) < 0)
		tell_listen_failed(l, call, errno);
}

void listener_renew(struct listener *l)
{
	if (l->fd >= 0 && l->event.ev_base) {
		adjust(l);
		event_del(&l->event);
		poll_it(l);
	} else if (!l->retry) {
		begin(l);
	}
}

void listener_free(struct listener *l)
{
	poll_forget(&l->retry);
	if (l->fd >= 0) {
		/* One that was bound for a reload that failed was never polled. */
		if (l->event.ev_base) {
			event_del(&l->event);
			l->unit->daemon->listeners_open--;
		}
		if (l->watched)
			activity_remove(l->unit->daemon, l->fd);
		sock_unlink(&l->addr, &l->path);
		fd_close(&l->fd);
	}
	waiter_free(l->waiter);
	free(l);
}

size_t listeners_open(struct unit *u)
{
	const struct service *s = u->service;
	size_t open = 0;

	for (size_t i = 0; i < s->listen_count; i++) {
		struct listener *l = listener_new(u, &s->listen[i]);

		listener_attach(l, u, l->wanted);
		open += begin(l);
	}
	return open;
}

void listeners_close(struct unit *u)
{
	while (!TAILQ_EMPTY(&u->listeners)) {
		struct listener *l = TAILQ_FIRST(&u->listeners);

		listener_detach(l);
		listener_free(l);
	}
}

size_t listeners_missing(const struct unit *u)
{
	const struct listener *l;
	size_t missing = 0;

	TAILQ_FOREACH (l, &u->listeners, all)
		missing += l->fd < 0;
	return missing;
}
