/*
 * flag FILE: a web server for one secret.  GET /flag answers with the file's content.
 *
 * The second chapter after hello: it reads the request.  One request, one answer, then it closes.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "handlers/common/conn.h"
#include "handlers/common/io.h"
#include "handlers/common/linger.h"
#include "handlers/common/reply.h"

enum { FLAG_MAX = 65536 };

static struct conn conn;
static struct http_request request;
static struct reply reply;
static char content[FLAG_MAX];

static int refuse(int status)
{
	reply_begin(&reply, 1, &request, status);
	if (status == 405)
		reply_field(&reply, "Allow", "GET, HEAD");
	return reply_page(&reply);
}

/* The file is read before the first byte of the answer is sent: until then we can still say 500. */
static int send_flag(const char *file)
{
	ssize_t len = io_read_file(file, content, sizeof(content));

	if (len < 0) {
		/* The reason is the owner's business and goes to the log, not to the client. */
		fprintf(stderr, "flag: %s: %s\n", file,
			errno == EINVAL ? "Not a regular file" : strerror(errno));
		return refuse(500);
	}
	reply_begin(&reply, 1, &request, 200);
	reply_field(&reply, "Content-Type", "text/plain; charset=utf-8");
	reply_field(&reply, "Content-Length", "%zd", len);
	reply_field(&reply, "X-Content-Type-Options", "nosniff");
	reply_field(&reply, "Cache-Control", "no-store");
	if (reply_head(&reply, len > 0) < 0)
		return -1;
	return reply.without_body ? 0 : io_write_all(1, content, (size_t)len);
}

static int answer(int status, const char *file)
{
	if (status != 0)
		return refuse(status);
	if (request.method == HTTP_UNKNOWN)
		return refuse(501);
	if (request.method != HTTP_GET && request.method != HTTP_HEAD)
		return refuse(405);
	if (!http_equals(request.path, "/flag"))
		return refuse(404);
	return send_flag(file);
}

int main(int argc, char *argv[])
{
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: flag FILE\n");
		return 100;
	}
	signal(SIGPIPE, SIG_IGN);
	conn_init(&conn, 0, 1, CONN_PATIENCE_MS);

	status = conn_read_head(&conn, &request);
	if (status < 0)
		return 0;
	request.keep_alive = false;
	if (answer(status, argv[1]) < 0)
		return io_farewell("flag");
	linger_close(0, 1);
	return 0;
}
