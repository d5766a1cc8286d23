#include "handlers/common/conn.h"

#include <errno.h>
#include <string.h>

#include "handlers/common/io.h"

void conn_init(struct conn *c, int in, int out, uint64_t patience_ms)
{
	c->in = in;
	c->patience_ms = patience_ms;
	c->len = 0;
	io_limit_stall(out, patience_ms);
}

int conn_read_head(struct conn *c, struct http_request *r)
{
	uint64_t deadline = io_now_ms() + c->patience_ms;
	int verdict;

	http_init(r);
	while ((verdict = http_parse(r, c->buf, c->len)) == HTTP_MORE) {
		/* There is room: a full buffer has a verdict. */
		ssize_t n =
			io_read_until(c->in, c->buf + c->len, sizeof(c->buf) - c->len, deadline);

		/* A browser connects ahead of need.  To leave it alone is the right answer. */
		if (n <= 0 && c->len == 0)
			return -1;
		if (n < 0)
			return errno == ETIMEDOUT ? 408 : -1;
		/* The rest of the head cannot come any more, but the client may still listen. */
		if (n == 0)
			return 400;
		c->len += (size_t)n;
	}
	return verdict == HTTP_DONE ? 0 : verdict;
}

void conn_next(struct conn *c, const struct http_request *r)
{
	c->len -= r->head_len;
	memmove(c->buf, c->buf + r->head_len, c->len);
}
