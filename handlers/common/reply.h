/*
 * reply: the head of an answer, and the small pages that go with a refusal.
 *
 * One answer: reply_begin(), any reply_field(), then reply_page() or reply_head() and the body.
 * Nothing that a client sent may go into a page, and into a field only what path_encode() made
 * of it: this module does not escape, it asserts.
 */
#ifndef HANDLERS_COMMON_REPLY_H
#define HANDLERS_COMMON_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "handlers/common/http.h"

struct reply {
	int out, status;
	bool without_body, keep_alive;
	size_t len;
	char head[HTTP_LINE_MAX + 2048];
};

/* The answer to r.  Whether it has a body and keeps the connection follows from r; after a request
 * with a body the connection is not kept, because nobody here reads that body. */
void reply_begin(struct reply *p, int out, const struct http_request *r, int status);

/* All values of an answer together have at most HTTP_LINE_MAX bytes: the caller sees to that. */
void reply_field(struct reply *p, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Sends the head; body: one follows, and may share the packet.  0, or -1 with errno. */
int reply_head(struct reply *p, bool body);

/* Sends the head and a page that explains the status.  0, or -1 with errno. */
int reply_page(struct reply *p);

/* "Not Found". */
const char *reply_reason(int status);

#endif
