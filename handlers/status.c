/*
 * status: superd over HTTP, to look at: a page for people, metrics for Prometheus, JSON for
 * scripts.
 *
 * It is a service like any other, without privileges: it is handed a listening socket, asks superd
 * through the socket for observers (status/observe.h), and leaves when nobody looks any more.  HTTP
 * is libevent's; what that does not limit, status/guests.h does.
 *
 * It changes nothing, stores nothing, and believes nothing that a client says: a request is a path
 * out of a table, and no header of it is in any answer.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "handlers/common/duration.h"
#include "handlers/common/handed.h"
#include "handlers/common/io.h"
#include "handlers/status/exposition.h"
#include "handlers/status/guests.h"
#include "handlers/status/observe.h"
#include "handlers/status/page.h"

enum { EXIT_USAGE = 100, EXIT_SYSTEM = 111 };
enum {
	PATIENCE_MS = 30000, /* unless told otherwise */
	HEAD_MAX = 16384,    /* bytes of a request's head */
	BODY_MAX = 4096,     /* which is not looked at */
	LOG_EVENTS = 100,    /* unless told otherwise */
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

struct route;

/* A request that is being answered. */
struct exchange {
	struct status *s;
	struct evhttp_request *req;
	const struct route *route;
};

struct route {
	const char *path, *verb; /* what superd is asked */
	void (*answer)(struct exchange *x, const char *text, size_t len, const char *why);
	const char *const *keys; /* of the query, which go into the question; NULL: it is ignored */
};

/* ---------------------------------------------------------------- answers */

#define JSON_TYPE "application/json; charset=utf-8"
#define TEXT_TYPE "text/plain; charset=utf-8"

static void on_sent(struct evhttp_request *req, void *arg)
{
	struct status *s = arg;

	guests_served(s->guests, req);
}

static void add_header(struct exchange *x, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(x->req), name, value);
}

/* Takes the body and the exchange. */
static void reply(struct exchange *x, int code, const char *type, struct evbuffer *body)
{
	char length[24];

	snprintf(length, sizeof(length), "%zu", evbuffer_get_length(body));
	add_header(x, "Content-Type", type);
	add_header(x, "Content-Length", length);
	add_header(x, "Cache-Control", "no-store");
	add_header(x, "X-Content-Type-Options", "nosniff");
	add_header(x, "X-Frame-Options", "DENY");
	add_header(x, "Referrer-Policy", "no-referrer");
	add_header(x, "Cross-Origin-Resource-Policy", "same-origin");
	if (!evhttp_find_header(
		    evhttp_request_get_output_headers(x->req), "Content-Security-Policy"))
		add_header(
			x, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
	if (evhttp_request_get_command(x->req) == EVHTTP_REQ_HEAD)
		evbuffer_drain(body, evbuffer_get_length(body));
	evhttp_request_set_on_complete_cb(x->req, on_sent, x->s);
	evhttp_send_reply(x->req, code, NULL, body);
	evbuffer_free(body);
	free(x);
}

static void reply_text(struct exchange *x, int code, const char *text)
{
	struct evbuffer *body = evbuffer_new();

	evbuffer_add_printf(body, "%s\n", text);
	reply(x, code, TEXT_TYPE, body);
}

static void reply_unavailable(struct exchange *x, const char *why)
{
	struct evbuffer *body = evbuffer_new();

	evbuffer_add_printf(body, "superd does not answer: %s\n", why);
	reply(x, HTTP_SERVUNAVAIL, TEXT_TYPE, body);
}

/* NULL, with the answer given, where superd has none or says no. */
static json_t *want_list(struct exchange *x, const char *text, size_t len, const char *why)
{
	json_t *list = text ? json_loadb(text, len, 0, NULL) : NULL;

	if (list && json_is_true(json_object_get(list, "ok")))
		return list;
	json_decref(list);
	reply_unavailable(x, text ? "it says what is no list" : why);
	return NULL;
}

static void answer_metrics(struct exchange *x, const char *text, size_t len, const char *why)
{
	struct evkeyvalq *headers = evhttp_request_get_input_headers(x->req);
	bool open = exposition_is_wanted_open(evhttp_find_header(headers, "Accept"));
	json_t *list = want_list(x, text, len, why);
	struct evbuffer *body;

	if (!list)
		return;
	body = evbuffer_new();
	exposition_write(body, list, open);
	json_decref(list);
	add_header(x, "Vary", "Accept");
	reply(x, HTTP_OK, open ? EXPOSITION_OPENMETRICS : EXPOSITION_PLAIN, body);
}

static void answer_health(struct exchange *x, const char *text, size_t len, const char *why)
{
	json_t *version = want_list(x, text, len, why);
	const char *state = json_string_value(json_object_get(version, "state"));

	if (!version)
		return;
	if (state && strcmp(state, "serving") == 0)
		reply_text(x, HTTP_OK, "ok");
	else
		reply_text(x, HTTP_SERVUNAVAIL, state ? state : "superd does not say");
	json_decref(version);
}

/* As it came; and if superd says no, the status does as well. */
static void answer_json(struct exchange *x, const char *text, size_t len, const char *why)
{
	struct evbuffer *body = evbuffer_new();
	int code = HTTP_OK;
	json_t *object;

	if (!text) {
		object = json_pack("{s:b,s:s}", "ok", 0, "error", why);
		text = json_dumps(object, JSON_COMPACT);
		evbuffer_add_printf(body, "%s\n", text ? text : "");
		free((char *)text);
		json_decref(object);
		reply(x, HTTP_SERVUNAVAIL, JSON_TYPE, body);
		return;
	}
	if (len < 4096) {
		object = json_loadb(text, len, 0, NULL);
		if (json_is_false(json_object_get(object, "ok")))
			code = HTTP_BADREQUEST;
		json_decref(object);
	}
	evbuffer_add(body, text, len);
	evbuffer_add(body, "\n", 1);
	reply(x, code, JSON_TYPE, body);
}

static void make_nonce(char nonce[33])
{
	unsigned char random[16] = { 0 };

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		abort();
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(nonce + 2 * i, 3, "%02x", random[i]);
}

/* It comes without superd as well, and says so. */
static void answer_page(struct exchange *x, const char *text, size_t len, const char *why)
{
	json_t *list = text ? json_loadb(text, len, 0, NULL) : NULL;
	struct evbuffer *body = evbuffer_new();
	char policy[256], nonce[33];

	(void)why;
	make_nonce(nonce);
	snprintf(policy, sizeof(policy),
		"default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; "
		"connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
		"frame-ancestors 'none'",
		nonce, nonce);
	add_header(x, "Content-Security-Policy", policy);
	page_write(body, list, nonce);
	reply(x, list ? HTTP_OK : HTTP_SERVUNAVAIL, "text/html; charset=utf-8", body);
	json_decref(list);
}

/* ---------------------------------------------------------------- routes */

static const char *const by_service[] = { "service", NULL };
static const char *const by_address[] = { "service", "address", NULL };
static const char *const of_log[] = { "last", "level", NULL };

static const struct route routes[] = {
	{ "/", "list", answer_page, NULL },
	{ "/metrics", "list", answer_metrics, NULL },
	{ "/healthz", "version", answer_health, NULL },
	{ "/api", "list", answer_json, NULL },
	{ "/api/list", "list", answer_json, NULL },
	{ "/api/version", "version", answer_json, NULL },
	{ "/api/bans", "bans", answer_json, NULL },
	{ "/api/ps", "ps", answer_json, by_service },
	{ "/api/show", "show", answer_json, by_service },
	{ "/api/explain", "explain", answer_json, by_address },
	{ "/api/log", "log", answer_json, of_log },
};

static const struct route *find_route(const char *path)
{
	for (size_t i = 0; path && i < sizeof(routes) / sizeof(routes[0]); i++)
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return NULL;
}

static bool is_among(const char *const *keys, const char *key)
{
	for (; *keys; keys++)
		if (strcmp(*keys, key) == 0)
			return true;
	return false;
}

/* False: it says something else than it may. */
static bool add_query(json_t *question, const char *const *keys, const char *query)
{
	struct evkeyvalq said = { 0 };
	const struct evkeyval *each;
	bool good = evhttp_parse_query_str(query, &said) == 0;

	for (each = said.tqh_first; good && each; each = each->next.tqe_next) {
		json_t *value = strcmp(each->key, "last") == 0
					? json_integer(strtol(each->value, NULL, 10))
					: json_string(each->value);

		good = is_among(keys, each->key) &&
		       json_object_set(question, each->key, value) == 0;
		json_decref(value);
	}
	evhttp_clear_headers(&said);
	return good;
}

/* A line, owned by the caller; NULL: the query says something else than it may. */
static char *question_of(const struct route *route, const char *query)
{
	json_t *o = json_pack("{s:s}", "verb", route->verb);
	char *line = NULL;

	if (route->keys == of_log)
		json_object_set_new(o, "last", json_integer(LOG_EVENTS));
	if (!route->keys || !query || add_query(o, route->keys, query))
		line = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return line;
}

static void on_answer(void *arg, const char *text, size_t len, const char *why)
{
	struct exchange *x = arg;

	x->route->answer(x, text, len, why);
}

static void ask(struct exchange *x, const char *query)
{
	char *line = question_of(x->route, query);

	if (line)
		observe_ask(x->s->observe, line, on_answer, x);
	else
		reply_text(x, HTTP_BADREQUEST, "the query is not understood");
	free(line);
}

static void on_request(struct evhttp_request *req, void *arg)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	enum evhttp_cmd_type method = evhttp_request_get_command(req);
	struct exchange *x = calloc(1, sizeof(*x));
	struct status *s = arg;

	if (!x) {
		evhttp_send_error(req, HTTP_SERVUNAVAIL, NULL);
		return;
	}
	*x = (struct exchange){ s, req, uri ? find_route(evhttp_uri_get_path(uri)) : NULL };
	guests_asked(s->guests, req);
	if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
		add_header(x, "Allow", "GET, HEAD");
		reply_text(x, HTTP_BADMETHOD, "this can only be looked at");
	} else if (!x->route) {
		reply_text(x, HTTP_NOTFOUND, "there is no such page");
	} else {
		ask(x, evhttp_uri_get_query(uri));
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
	if (!s.patience_ms)
		return usage();
	if (optind != argc - 1)
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
