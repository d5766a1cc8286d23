/*
 * cond: does the client have this already, and which part of it does it want?  (RFC 9110, 13, 14.)
 *
 * Pure.  Of ranges it knows one of bytes; to several at once, as to any unit it does not know,
 * the answer is the whole file, which the RFC allows and no client minds.
 */
#ifndef HANDLERS_COMMON_COND_H
#define HANDLERS_COMMON_COND_H

#include <stdint.h>
#include <time.h>

#include "handlers/common/http.h"

/* The state of a file: its entity tag, quotes included, and when it changed. */
struct cond_state {
	const char *etag;
	time_t changed;
	uint64_t size;
};

/* 200: send it; 304: the client has it; 412: it is no longer what the client thinks. */
int cond_check(const struct http_request *r, const struct cond_state *file);

/* 200: all of it; 206: from *first, *len bytes; 416: nothing is there.  After a 200 above only. */
int cond_range(const struct http_request *r, const struct cond_state *file, uint64_t *first,
	uint64_t *len);

#endif
