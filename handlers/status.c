/*
 * status: superd over HTTP, to look at: a page for people, metrics for Prometheus, JSON for
 * scripts.
 *
 * It is a service like any other, without privileges: it is handed a listening socket, asks superd
 * through the socket for observers (status/observe.h), and leaves when nobody looks any more.  HTTP
 * is libevent's; what that does not limit, status/guests.h does.  Here is who comes and goes; what
 * can be asked is status/routes.h, and what is answered status/answers.h.
 *
 * It changes nothing, stores nothing, and believes nothing that a client says.
 */
#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/common/duration.h"
#include "handlers/common/handed.h"
#include "handlers/common/io.h"
#include "handlers/status/guests.h"
#include "handlers/status/observe.h"
#include "handlers/status/routes.h"

enum { EXIT_USAGE = 100, EXIT_SYSTEM = 111 };
enum {
	PATIENCE_MS = 30000, /* unless told otherwise */
	HEAD_MAX = 16384,    /* bytes of a request's head */
	BODY_MAX = 4096,     /* which is not looked at */
	LEAVE_MS = 2000,     /* for answers that are on their way, after TERM */
	TICK_MS = 500,
	DAY_MS = 24 * 3600 * 1000,
};

struct status {
	struct event_base *base;
	struct evhttp *http;
	struct guests *guests;
	struct observe *observe;
	struct event *tick, *term, *interrupt; /* owned */
	uint64_t patience_ms, idle_ms, idle_since_ms, leave_at_ms;
};

/* ---------------------------------------------------------------- requests */

static void on_answer(void *arg, const char *text, size_t len, const char *why)
{
	struct exchange *x = arg;

	x->answer(x, text, len, why);
}

static void ask(struct status *s, struct exchange *x, const struct route *route, const char *query)
{
	char *line = route_question(route, query);

	x->answer = route->answer;
	if (line)
		observe_ask(s->observe, line, on_answer, x);
	else
		answer_text(x, HTTP_BADREQUEST, "the query is not understood");
	free(line);
}

static void on_request(struct evhttp_request *req, void *arg)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const struct route *route = uri ? route_find(evhttp_uri_get_path(uri)) : NULL;
	enum evhttp_cmd_type method = evhttp_request_get_command(req);
	struct exchange *x = calloc(1, sizeof(*x));
	struct status *s = arg;

	if (!x) {
		evhttp_send_error(req, HTTP_SERVUNAVAIL, NULL);
		return;
	}
	*x = (struct exchange){ .req = req, .guests = s->guests };
	guests_asked(s->guests, req);
	if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
		answer_header(x, "Allow", "GET, HEAD");
		answer_text(x, HTTP_BADMETHOD, "this can only be looked at");
	} else if (!route) {
		answer_text(x, HTTP_NOTFOUND, "there is no such page");
	} else {
		ask(s, x, route, evhttp_uri_get_query(uri));
	}
}

/* ---------------------------------------------------------------- coming and going */

static const struct timeval tick_span = { 0, TICK_MS * 1000 };

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct status *s = arg;
	uint64_t now_ms = io_now_ms();
	size_t count;

	(void)fd;
	(void)what;
	count = guests_tend(s->guests, now_ms, s->patience_ms);
	if (count)
		s->idle_since_ms = now_ms;
	if (s->leave_at_ms && (now_ms >= s->leave_at_ms || !guests_busy(s->guests)))
		event_base_loopbreak(s->base);
	else if (s->idle_ms && now_ms - s->idle_since_ms >= s->idle_ms)
		event_base_loopbreak(s->base);
	/* Nobody is there: it sleeps until somebody comes. */
	else if (count || s->idle_ms || s->leave_at_ms)
		event_add(s->tick, &tick_span);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct status *s = arg;

	(void)number;
	(void)what;
	guests_listen_no_more(s->guests);
	s->leave_at_ms = io_now_ms() + LEAVE_MS;
	event_active(s->tick, EV_TIMEOUT, 0);
}

static void open_http(struct status *s)
{
	const struct timeval stall = { (time_t)(s->patience_ms / 1000),
		(suseconds_t)(s->patience_ms % 1000 * 1000) };

	s->base = event_base_new();
	s->http = s->base ? evhttp_new(s->base) : NULL;
	s->tick = s->http ? evtimer_new(s->base, on_tick, s) : NULL;
	s->guests = s->tick ? guests_new(s->base, s->http, s->tick) : NULL;
	if (!s->guests) {
		fprintf(stderr, "status: %s\n", strerror(ENOMEM));
		exit(EXIT_SYSTEM);
	}
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
						    EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
						    EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
	evhttp_set_max_headers_size(s->http, HEAD_MAX);
	evhttp_set_max_body_size(s->http, BODY_MAX);
	evhttp_set_timeout_tv(s->http, &stall);
	evhttp_set_gencb(s->http, on_request, s);
}

static int run(struct status *s)
{
	s->term = evsignal_new(s->base, SIGTERM, on_signal, s);
	s->interrupt = evsignal_new(s->base, SIGINT, on_signal, s);
	event_add(s->tick, &tick_span);
	event_add(s->term, NULL);
	event_add(s->interrupt, NULL);
	s->idle_since_ms = io_now_ms();
	return event_base_dispatch(s->base) < 0 ? EXIT_SYSTEM : 0;
}

static void close_all(struct status *s)
{
	evhttp_free(s->http);
	guests_free(s->guests);
	observe_free(s->observe);
	event_free(s->tick);
	event_free(s->term);
	event_free(s->interrupt);
	event_base_free(s->base);
}

static int usage(void)
{
	fprintf(stderr,
		"usage: status [-i IDLE] [-T PATIENCE] OBSERVE_SOCKET < LISTENING_SOCKET\n");
	return EXIT_USAGE;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "idle", required_argument, NULL, 'i' },
		{ "timeout", required_argument, NULL, 'T' },
		{ 0 },
	};
	static struct status s = { .patience_ms = PATIENCE_MS };
	int fds[HANDED_MAX], n, opt, result;

	while ((opt = getopt_long(argc, argv, "i:T:", options, NULL)) != -1) {
		uint64_t *span = opt == 'i' ? &s.idle_ms : opt == 'T' ? &s.patience_ms : NULL;

		if (!span || !duration_parse(optarg, DAY_MS, span))
			return usage();
	}
	if (!s.patience_ms || optind != argc - 1)
		return usage();
	n = handed_listeners(fds);
	if (n <= 0) {
		fprintf(stderr, "status: needs a listening socket as its input: mode wait\n");
		return EXIT_SYSTEM;
	}
	signal(SIGPIPE, SIG_IGN);
	open_http(&s);
	s.observe = observe_new(s.base, argv[optind]);
	if (!s.observe) {
		fprintf(stderr, "status: %s: %s\n", argv[optind], strerror(errno));
		return EXIT_USAGE;
	}
	for (int i = 0; i < n; i++)
		if (!guests_listen(s.guests, s.http, fds[i])) {
			fprintf(stderr, "status: cannot listen: %s\n", strerror(errno));
			return EXIT_SYSTEM;
		}
	result = run(&s);
	close_all(&s);
	return result;
}
