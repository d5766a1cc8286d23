/*
 * conn: one HTTP connection, from which request heads are read one after the other.
 *
 * It keeps what arrived behind a head, for the next one (pipelining), and holds the whole head to
 * one deadline: a client that sends a byte now and then does not keep the process.  It reads no
 * bodies: after a request that has one, answer and close.
 */
#ifndef HANDLERS_COMMON_CONN_H
#define HANDLERS_COMMON_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handlers/common/http.h"

enum { CONN_PATIENCE_MS = 15000 };

struct conn {
	int in;
	bool kept; /* a request has been answered before */
	uint64_t patience_ms;
	size_t len;
	char buf[HTTP_HEAD_MAX];
};

/* Patience: for the first head, counted from the start; for the silence before each later request,
 * and again for its head; and for a client that takes nothing of an answer. */
void conn_init(struct conn *c, int in, int out, uint64_t patience_ms);

/* Waits for a request.  0: here it is, in c's buffer until conn_next().  A status to refuse with,
 * and then to close.  -1: the client left or never spoke, nothing to answer. */
int conn_read_head(struct conn *c, struct http_request *r);

/* Forgets that head and moves what came behind it to the front. */
void conn_next(struct conn *c, const struct http_request *r);

#endif
