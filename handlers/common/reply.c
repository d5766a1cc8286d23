#include "handlers/common/reply.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "handlers/common/date.h"
#include "handlers/common/io.h"

static const struct status {
	int code;
	const char *reason, *hint;
} table[] = {
	{ 200, "OK", "" },
	{ 206, "Partial Content", "" },
	{ 301, "Moved Permanently", "This folder's address ends in a slash." },
	{ 304, "Not Modified", "" },
	{ 400, "Bad Request", "This is not a request that can be understood in one way only." },
	{ 403, "Forbidden", "This may not be read." },
	{ 404, "Not Found", "There is nothing at this address." },
	{ 405, "Method Not Allowed", "This can be read with GET and HEAD only." },
	{ 408, "Request Timeout", "The request took too long to arrive." },
	{ 412, "Precondition Failed", "This is no longer what the request expects it to be." },
	{ 414, "URI Too Long", "The address is too long." },
	{ 416, "Range Not Satisfiable", "The file ends before the range begins." },
	{ 431, "Request Header Fields Too Large", "The request's header is too long." },
	{ 500, "Internal Server Error", "The server's log says why." },
	{ 501, "Not Implemented", "This method or coding is not known here." },
	{ 505, "HTTP Version Not Supported", "Please speak HTTP/1.1 or HTTP/1.0." },
};

static const struct status *find(int code)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].code == code)
			return &table[i];
	assert(!"a status without a row");
	return NULL;
}

const char *reply_reason(int status)
{
	return find(status)->reason;
}

static void append(struct reply *p, const char *format, va_list args)
{
	size_t room = sizeof(p->head) - p->len;
	int n = vsnprintf(p->head + p->len, room, format, args);

	assert(n >= 0 && (size_t)n < room);
	p->len += (size_t)n;
}

static __attribute__((format(printf, 2, 3))) void add(struct reply *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append(p, format, args);
	va_end(args);
}

void reply_begin(struct reply *p, int out, const struct http_request *r, int status)
{
	char date[DATE_SIZE];

	p->out = out;
	p->status = status;
	p->without_body = r->method == HTTP_HEAD || status == 304;
	p->keep_alive = r->keep_alive && !r->has_body;
	p->len = 0;
	date_format(date, time(NULL));
	add(p, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, reply_reason(status), date);
	/* 1.1 keeps unless told not to, 1.0 closes unless told not to: say it always. */
	add(p, "Connection: %s\r\n", p->keep_alive ? "keep-alive" : "close");
}

void reply_field(struct reply *p, const char *name, const char *format, ...)
{
	size_t start = p->len;
	va_list args;

	add(p, "%s: ", name);
	va_start(args, format);
	append(p, format, args);
	va_end(args);
	/* A line break in a value would be a field, or an answer, of the client's making. */
	assert(!memchr(p->head + start, '\r', p->len - start));
	assert(!memchr(p->head + start, '\n', p->len - start));
	add(p, "\r\n");
}

int reply_head(struct reply *p, bool body)
{
	add(p, "\r\n");
	if (body && !p->without_body)
		return io_write_more(p->out, p->head, p->len);
	return io_write_all(p->out, p->head, p->len);
}

int reply_page(struct reply *p)
{
	const struct status *s = find(p->status);
	char page[512];
	int len = snprintf(page, sizeof(page),
		"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
		"<title>%d %s</title>\n<h1>%d %s</h1>\n<p>%s</p>\n</html>\n",
		s->code, s->reason, s->code, s->reason, s->hint);

	assert(len > 0 && (size_t)len < sizeof(page));
	reply_field(p, "Content-Type", "text/html; charset=utf-8");
	reply_field(p, "Content-Length", "%d", len);
	reply_field(p, "X-Content-Type-Options", "nosniff");
	if (reply_head(p, true) < 0)
		return -1;
	return p->without_body ? 0 : io_write_all(p->out, page, (size_t)len);
}
