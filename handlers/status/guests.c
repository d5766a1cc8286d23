#include "handlers/status/guests.h"

#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "handlers/common/handed.h"
#include "handlers/common/io.h"

struct guest {
	struct bufferevent *io; /* a reference of our own */
	uint64_t since_ms;      /* when it was served, or came */
	bool busy;              /* an answer is on its way */
};

struct guests {
	struct event_base *base;
	struct event *tick;
	struct guest guests[GUESTS_MAX];
	size_t count;
	struct evconnlistener *listeners[HANDED_MAX]; /* owned by evhttp */
	size_t listeners_count;
	bool closed;
};

/* ---------------------------------------------------------------- accepting */

static void set_listening(struct guests *g)
{
	bool listen = !g->closed && g->count < GUESTS_MAX;

	for (size_t i = 0; i < g->listeners_count; i++) {
		if (listen)
			evconnlistener_enable(g->listeners[i]);
		else
			evconnlistener_disable(g->listeners[i]);
	}
}

static void on_pause_over(evutil_socket_t fd, short what, void *listener)
{
	(void)fd;
	(void)what;
	evconnlistener_enable(listener);
}

/* No spinning over a client that cannot be taken.  The argument is evhttp's. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval t = { 0, GUESTS_PAUSE_MS * 1000 };

	(void)arg;
	evconnlistener_disable(listener);
	event_base_once(
		evconnlistener_get_base(listener), -1, EV_TIMEOUT, on_pause_over, listener, &t);
}

bool guests_listen(struct guests *g, struct evhttp *http, int fd)
{
	struct evconnlistener *l = evconnlistener_new(
		g->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);

	if (!l || !evhttp_bind_listener(http, l))
		return false;
	evconnlistener_set_error_cb(l, on_accept_error);
	g->listeners[g->listeners_count++] = l;
	return true;
}

void guests_listen_no_more(struct guests *g)
{
	g->closed = true;
	set_listening(g);
}

/* ---------------------------------------------------------------- who is there */

/* Once it has freed a bufferevent there are no callbacks left. */
static bool has_left(const struct guest *one)
{
	bufferevent_data_cb reads, writes;
	bufferevent_event_cb ends;
	void *arg;

	bufferevent_getcb(one->io, &reads, &writes, &ends, &arg);
	return !reads && !writes && !ends;
}

static struct guest *find(struct guests *g, struct evhttp_request *req)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(req);

	if (!connection)
		return NULL;
	for (size_t i = 0; i < g->count; i++)
		if (g->guests[i].io == evhttp_connection_get_bufferevent(connection))
			return &g->guests[i];
	return NULL;
}

/* evhttp wants one for a client that it has accepted. */
static struct bufferevent *on_guest(struct event_base *base, void *arg)
{
	struct guests *g = arg;
	struct bufferevent *io = bufferevent_socket_new(base, -1, 0);

	if (!io || g->count == GUESTS_MAX)
		return io;
	bufferevent_incref(io);
	g->guests[g->count++] = (struct guest){ .io = io, .since_ms = io_now_ms() };
	event_active(g->tick, EV_TIMEOUT, 0);
	set_listening(g);
	return io;
}

void guests_asked(struct guests *g, struct evhttp_request *req)
{
	struct guest *one = find(g, req);

	if (one)
		one->busy = true;
}

void guests_served(struct guests *g, struct evhttp_request *req)
{
	struct guest *one = find(g, req);

	if (!one)
		return;
	one->busy = false;
	one->since_ms = io_now_ms();
}

size_t guests_tend(struct guests *g, uint64_t now_ms, uint64_t patience_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->count; i++) {
		struct guest *one = &g->guests[i];

		if (has_left(one)) {
			bufferevent_decref(one->io);
			continue;
		}
		/* evhttp sees that it has gone, and cleans up. */
		if (!one->busy && now_ms - one->since_ms > patience_ms)
			shutdown(bufferevent_getfd(one->io), SHUT_RDWR);
		g->guests[kept++] = *one;
	}
	g->count = kept;
	set_listening(g);
	return kept;
}

bool guests_busy(const struct guests *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->guests[i].busy)
			return true;
	return false;
}

/* ---------------------------------------------------------------- */

struct guests *guests_new(struct event_base *base, struct evhttp *http, struct event *tick)
{
	struct guests *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->base = base;
	g->tick = tick;
	evhttp_set_bevcb(http, on_guest, g);
	return g;
}

void guests_free(struct guests *g)
{
	for (size_t i = 0; i < g->count; i++)
		bufferevent_decref(g->guests[i].io);
	free(g);
}
