/*
 * answers: what superd says, as HTTP: for Prometheus, for a health check, as JSON, as a page.
 *
 * Each takes the exchange and ends it.  It believes nothing that a client says: no header of a
 * request is in any answer, and each says what a browser may do with it.
 */
#ifndef HANDLERS_STATUS_ANSWERS_H
#define HANDLERS_STATUS_ANSWERS_H

#include "handlers/status/guests.h"

struct exchange;

/* superd's answer as JSON text; or NULL, and why there is none. */
typedef void answer_fn(struct exchange *x, const char *text, size_t len, const char *why);

/* A request that is being answered; on the heap. */
struct exchange {
	struct evhttp_request *req; /* evhttp's */
	struct guests *guests;      /* borrowed: they are told when it is over */
	answer_fn *answer;          /* who will, once superd has said something */
};

answer_fn answer_metrics, answer_health, answer_json, answer_page;

/* Without superd. */
void answer_text(struct exchange *x, int code, const char *text);

/* Before any of them: one more header. */
void answer_header(struct exchange *x, const char *name, const char *value);

#endif
