#include "handlers/status/answers.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "handlers/status/exposition.h"
#include "handlers/status/page.h"

#define JSON_TYPE "application/json; charset=utf-8"
#define TEXT_TYPE "text/plain; charset=utf-8"

static void on_sent(struct evhttp_request *req, void *guests)
{
	guests_served(guests, req);
}

void answer_header(struct exchange *x, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(x->req), name, value);
}

/* Takes the body and the exchange. */
static void reply(struct exchange *x, int code, const char *type, struct evbuffer *body)
{
	char length[24];

	snprintf(length, sizeof(length), "%zu", evbuffer_get_length(body));
	answer_header(x, "Content-Type", type);
	answer_header(x, "Content-Length", length);
	answer_header(x, "Cache-Control", "no-store");
	answer_header(x, "X-Content-Type-Options", "nosniff");
	answer_header(x, "X-Frame-Options", "DENY");
	answer_header(x, "Referrer-Policy", "no-referrer");
	answer_header(x, "Cross-Origin-Resource-Policy", "same-origin");
	if (!evhttp_find_header(
		    evhttp_request_get_output_headers(x->req), "Content-Security-Policy"))
		answer_header(
			x, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
	if (evhttp_request_get_command(x->req) == EVHTTP_REQ_HEAD)
		evbuffer_drain(body, evbuffer_get_length(body));
	evhttp_request_set_on_complete_cb(x->req, on_sent, x->guests);
	evhttp_send_reply(x->req, code, NULL, body);
	evbuffer_free(body);
	free(x);
}

void answer_text(struct exchange *x, int code, const char *text)
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

void answer_metrics(struct exchange *x, const char *text, size_t len, const char *why)
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
	answer_header(x, "Vary", "Accept");
	reply(x, HTTP_OK, open ? EXPOSITION_OPENMETRICS : EXPOSITION_PLAIN, body);
}

void answer_health(struct exchange *x, const char *text, size_t len, const char *why)
{
	json_t *version = want_list(x, text, len, why);
	const char *state = json_string_value(json_object_get(version, "state"));

	if (!version)
		return;
	if (state && strcmp(state, "serving") == 0)
		answer_text(x, HTTP_OK, "ok");
	else
		answer_text(x, HTTP_SERVUNAVAIL, state ? state : "superd does not say");
	json_decref(version);
}

/* As it came; and if superd says no, the status does as well. */
void answer_json(struct exchange *x, const char *text, size_t len, const char *why)
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
void answer_page(struct exchange *x, const char *text, size_t len, const char *why)
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
	answer_header(x, "Content-Security-Policy", policy);
	page_write(body, list, nonce);
	reply(x, list ? HTTP_OK : HTTP_SERVUNAVAIL, "text/html; charset=utf-8", body);
	json_decref(list);
}
