#include "handlers/common/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "handlers/common/io.h"

void conn_init(struct conn *c, int in, int out, uint64_t patience_ms)
{
	const int on = 1;

	c->in = in;
	c->kept = false;
	c->patience_ms = patience_ms;
	c->len = 0;
	io_limit_stall(out, patience_ms);
	/* Each answer goes out in one piece, so there is nothing that the kernel should wait to
	 * add: the second of two pipelined answers would be held back until the first is
	 * acknowledged. */
	(void)setsockopt(out, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
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

		if (n <= 0) {
			/* A browser connects ahead of need.  To leave it alone is the right answer.
			 */
			if (http_idle(r))
				return -1;
			/* At its end of input a client can still listen, the head cannot go on. */
			return n == 0 ? 400 : errno == ETIMEDOUT ? 408 : -1;
		}
		if (c->kept && c->len == 0)
			deadline = io_now_ms() + c->patience_ms;
		c->len += (size_t)n;
	}
	return verdict == HTTP_DONE ? 0 : verdict;
}

void conn_next(struct conn *c, const struct http_request *r)
{
	c->kept = true;
	c->len -= r->head_len;
	memmove(c->buf, c->buf + r->head_len, c->len);
}
