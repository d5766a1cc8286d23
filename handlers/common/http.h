/*
 * http: the head of an HTTP/1 request, parsed.
 *
 * Pure: bytes in, a verdict and pieces of the same bytes out; no I/O, no clock, no allocation.  It
 * is incremental: call it whenever more has arrived, it goes on where it stopped, and it refuses
 * at the first byte that cannot be right, so that nobody has to wait for a deadline.
 *
 * It refuses whatever two programs in a row could read in two ways, since that is how requests are
 * smuggled past a proxy: a bare CR or LF, a folded line, a space before the colon, two Hosts, two
 * Content-Lengths, Content-Length beside Transfer-Encoding.  It does not read bodies.
 *
 * Why not Debian's libhttp-parser?  Upstream abandoned it in 2020 and points to llhttp, which
 * Debian does not have; Debian backports its security fixes (two for smuggling so far:
 * CVE-2019-15605 and CVE-2020-8287).  And 2.9.4 accepts, as tried: a bare LF, a space before the
 * colon, folded lines, a tab in the target, two Hosts or none.  Each would need a check of our own
 * around it, behind callbacks that no longer show the bytes as they came.  The subset that a
 * server needs is smaller than those checks, and tests/fuzz/fuzz_http.c holds it to its contract.
 */
#ifndef HANDLERS_COMMON_HTTP_H
#define HANDLERS_COMMON_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_LINE_MAX = 8192,  /* of one line without its CRLF; RFC 9112 asks for 8000 */
	HTTP_HEAD_MAX = 16384, /* of the whole head */
	HTTP_FIELDS_MAX = 100,
};

/* Verdicts; any other is the status to refuse with: 400, 414, 431, 501, 505. */
enum { HTTP_MORE = 0, HTTP_DONE = 1 };

enum http_method {
	HTTP_UNKNOWN,
	HTTP_GET,
	HTTP_HEAD,
	HTTP_KNOWN /* by name, but neither of these */
};

/* A piece of the caller's buffer: not terminated, not owned. */
struct http_text {
	const char *at; /* NULL: absent */
	size_t len;
};

struct http_field {
	struct http_text name, value;
};

struct http_request {
	enum http_method method;
	struct http_text method_name;
	struct http_text host;  /* of an absolute target, else of the Host field; may be absent */
	struct http_text path;  /* as it was sent, escapes and all; begins with '/', unless the
				 * method is HTTP_KNOWN or HTTP_UNKNOWN: "*", host:port */
	struct http_text query; /* behind the '?' */
	int minor;              /* 0 or 1, of HTTP/1.x */
	bool keep_alive;        /* false until all is well; the caller may say no as well */
	bool has_body;          /* one follows the head */
	bool chunked;           /* ... in chunks; otherwise it has body_len bytes */
	uint64_t body_len;
	size_t head_len; /* what follows it belongs to the body or to the next request */
	size_t fields;

	/* The parser's own. */
	int verdict;
	size_t scanned, line;
	bool in_fields, skipped_blank, has_length, names_close, names_keep_alive;
	unsigned hosts;

	/* Last, so that only what is used of it is ever touched: a page less at each start. */
	struct http_field field[HTTP_FIELDS_MAX];
};

void http_init(struct http_request *r);

/* Looks at buf[0..len): all that has come so far, at the same place each time.  The request's
 * pieces point into it, but for the "/" of a target that has no path.  Returns a verdict, and the
 * same one again after that. */
int http_parse(struct http_request *r, const char *buf, size_t len);

/* True until a request begins: nothing has come, or the one empty line that is forgiven. */
bool http_idle(const struct http_request *r);

/* The value of the first field of that name, or NULL. */
const struct http_text *http_find(const struct http_request *r, const char *name);

/* Equal to word, byte for byte; or but for the case of ASCII letters. */
bool http_equals(struct http_text text, const char *word);
bool http_is(struct http_text text, const char *word);

/* The next element of a comma-separated list, without blanks around it; false at the end. */
bool http_next_element(struct http_text *list, struct http_text *element);

#endif
