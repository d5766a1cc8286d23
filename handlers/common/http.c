#include "handlers/common/http.h"

#include <string.h>
#include <strings.h>

/* ASCII only and independent of the locale, unlike <ctype.h>. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_token(char c)
{
	return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool http_equals(struct http_text text, const char *word)
{
	return text.at && text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

bool http_is(struct http_text text, const char *word)
{
	return text.at && text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

const struct http_text *http_find(const struct http_request *r, const char *name)
{
	for (size_t i = 0; i < r->fields; i++)
		if (http_is(r->field[i].name, name))
			return &r->field[i].value;
	return NULL;
}

static struct http_text trim(struct http_text t)
{
	while (t.len > 0 && is_blank(t.at[0]))
		t.at++, t.len--;
	while (t.len > 0 && is_blank(t.at[t.len - 1]))
		t.len--;
	return t;
}

bool http_next_element(struct http_text *list, struct http_text *element)
{
	while (list->len > 0) {
		const char *comma = memchr(list->at, ',', list->len);
		size_t len = comma ? (size_t)(comma - list->at) : list->len;
		size_t step = comma ? len + 1 : len;

		*element = trim((struct http_text){ list->at, len });
		list->at += step;
		list->len -= step;
		if (element->len > 0)
			return true;
	}
	return false;
}

/* Cuts t at the first c: returns what is before it, leaves what is behind; absent without a c. */
static struct http_text cut(struct http_text *t, char c)
{
	const char *at = memchr(t->at, c, t->len);
	struct http_text before = { NULL, 0 };

	if (at) {
		before = (struct http_text){ t->at, (size_t)(at - t->at) };
		t->len -= before.len + 1;
		t->at = at + 1;
	}
	return before;
}

/* A host name or address and perhaps a port: no user, no blank, nothing that needs escaping. */
static bool is_authority(struct http_text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (!is_alnum(t.at[i]) && !strchr("-._~!$&'()*+;=:%[]", t.at[i]))
			return false;
	return true;
}

/* http://host/path: what a proxy is sent, and a server has to understand. */
static int parse_absolute(struct http_request *r, struct http_text *t, size_t scheme_len)
{
	size_t len = 0;

	t->at += scheme_len;
	t->len -= scheme_len;
	while (len < t->len && t->at[len] != '/' && t->at[len] != '?')
		len++;
	r->host = (struct http_text){ t->at, len };
	if (len == 0 || !is_authority(r->host))
		return 400;
	t->at += len;
	t->len -= len;
	return HTTP_MORE;
}

static int parse_target(struct http_request *r, struct http_text t)
{
	struct http_text path;

	for (size_t i = 0; i < t.len; i++)
		if (t.at[i] <= ' ' || t.at[i] > '~' || t.at[i] == '#')
			return 400;
	if (http_equals(r->method_name, "CONNECT") || http_equals(t, "*")) {
		/* A host to connect to, or the server as a whole: no page is meant. */
		if (r->method == HTTP_GET || r->method == HTTP_HEAD)
			return 400;
		r->path = t;
		return HTTP_MORE;
	}
	if (t.len > 7 && strncasecmp(t.at, "http://", 7) == 0) {
		if (parse_absolute(r, &t, 7))
			return 400;
	} else if (t.len > 8 && strncasecmp(t.at, "https://", 8) == 0) {
		if (parse_absolute(r, &t, 8))
			return 400;
	}
	path = cut(&t, '?');
	if (path.at) {
		r->query = t;
		r->path = path;
	} else {
		r->path = t;
	}
	if (r->path.len == 0 && r->host.at)
		r->path = (struct http_text){ "/", 1 };
	return r->path.len > 0 && r->path.at[0] == '/' ? HTTP_MORE : 400;
}

static int parse_version(struct http_request *r, struct http_text t)
{
	if (t.len != 8 || memcmp(t.at, "HTTP/", 5) != 0 || !is_digit(t.at[5]) || t.at[6] != '.' ||
		!is_digit(t.at[7]))
		return 400;
	if (t.at[5] != '1')
		return 505;
	/* A later minor version has to be understood as the highest that we know. */
	r->minor = t.at[7] > '0';
	return HTTP_MORE;
}

static enum http_method method_of(struct http_text name)
{
	static const char known[][8] = { "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE",
		"CONNECT" };

	if (http_equals(name, "GET"))
		return HTTP_GET;
	if (http_equals(name, "HEAD"))
		return HTTP_HEAD;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (http_equals(name, known[i]))
			return HTTP_KNOWN;
	return HTTP_UNKNOWN;
}

static int parse_request_line(struct http_request *r, struct http_text line)
{
	struct http_text method = cut(&line, ' ');
	struct http_text target = { NULL, 0 };
	int verdict;

	if (method.at)
		target = cut(&line, ' ');
	if (method.len == 0 || target.len == 0)
		return 400;
	for (size_t i = 0; i < method.len; i++)
		if (!is_token(method.at[i]))
			return 400;
	r->method_name = method;
	r->method = method_of(method);
	/* The version first: what the rest means depends on it. */
	verdict = parse_version(r, line);
	if (verdict == HTTP_MORE)
		verdict = parse_target(r, target);
	r->in_fields = true;
	return verdict;
}

static int note_length(struct http_request *r, struct http_text value)
{
	uint64_t n = 0;

	/* Twice is refused even if both agree: whoever sent that does not know its own request.
	 * 18 digits always fit. */
	if (r->has_length || value.len == 0 || value.len > 18)
		return 400;
	for (size_t i = 0; i < value.len; i++) {
		if (!is_digit(value.at[i]))
			return 400;
		n = n * 10 + (uint64_t)(value.at[i] - '0');
	}
	r->has_length = true;
	r->body_len = n;
	return HTTP_MORE;
}

static int note_coding(struct http_request *r, struct http_text value)
{
	if (r->chunked || r->minor == 0)
		return 400;
	if (!http_is(value, "chunked"))
		return 501;
	r->chunked = true;
	return HTTP_MORE;
}

static int note_host(struct http_request *r, struct http_text value)
{
	if (r->hosts++ > 0 || !is_authority(value))
		return 400;
	/* The host of an absolute target counts more. */
	if (!r->host.at)
		r->host = value;
	return HTTP_MORE;
}

static int note_connection(struct http_request *r, struct http_text value)
{
	struct http_text option;

	while (http_next_element(&value, &option)) {
		r->names_close |= http_is(option, "close");
		r->names_keep_alive |= http_is(option, "keep-alive");
	}
	return HTTP_MORE;
}

/* The fields that decide where the request ends, and for whom it is. */
static int note_field(struct http_request *r, const struct http_field *f)
{
	static const struct {
		const char *name;
		int (*note)(struct http_request *, struct http_text);
	} row[] = {
		{ "Content-Length", note_length },
		{ "Transfer-Encoding", note_coding },
		{ "Host", note_host },
		{ "Connection", note_connection },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (http_is(f->name, row[i].name))
			return row[i].note(r, f->value);
	return HTTP_MORE;
}

static int parse_field(struct http_request *r, struct http_text line)
{
	struct http_field f = { .name = cut(&line, ':') };

	/* The token rule also refuses a folded line and a space before the colon. */
	if (f.name.len == 0)
		return 400;
	for (size_t i = 0; i < f.name.len; i++)
		if (!is_token(f.name.at[i]))
			return 400;
	f.value = trim(line);
	if (r->fields == HTTP_FIELDS_MAX)
		return 431;
	r->field[r->fields++] = f;
	return note_field(r, &f);
}

/* At the empty line: what only the whole head can tell. */
static int finish(struct http_request *r)
{
	if (r->minor > 0 && r->hosts == 0)
		return 400;
	if (r->chunked && r->has_length)
		return 400;
	r->has_body = r->chunked || r->body_len > 0;
	r->keep_alive = !r->names_close && (r->minor > 0 || r->names_keep_alive);
	return HTTP_DONE;
}

static int parse_line(struct http_request *r, struct http_text line)
{
	if (line.len > 0)
		return r->in_fields ? parse_field(r, line) : parse_request_line(r, line);
	if (r->in_fields)
		return finish(r);
	/* Some clients end a body with a CRLF that it does not have; RFC 9112 forgives one. */
	if (r->skipped_blank)
		return 400;
	r->skipped_blank = true;
	return HTTP_MORE;
}

static int too_long(const struct http_request *r)
{
	return r->in_fields ? 431 : 414;
}

/* One byte more.  Every refusal depends on the bytes up to here only, never on how they arrived. */
static int scan(struct http_request *r, const char *buf)
{
	size_t at = r->scanned++;
	char c = buf[at];
	bool after_cr = at > r->line && buf[at - 1] == '\r';
	struct http_text line;

	if (after_cr != (c == '\n'))
		return 400;
	if (c == '\n') {
		line = (struct http_text){ buf + r->line, at - 1 - r->line };
		r->line = at + 1;
		return parse_line(r, line);
	}
	if (c == '\r')
		return HTTP_MORE;
	if (at - r->line >= HTTP_LINE_MAX)
		return too_long(r);
	if (((unsigned char)c < ' ' && c != '\t') || c == 0x7f)
		return 400;
	return HTTP_MORE;
}

void http_init(struct http_request *r)
{
	memset(r, 0, offsetof(struct http_request, field));
}

int http_parse(struct http_request *r, const char *buf, size_t len)
{
	while (r->verdict == HTTP_MORE && r->scanned < len && r->scanned < HTTP_HEAD_MAX)
		r->verdict = scan(r, buf);
	if (r->verdict == HTTP_MORE && r->scanned == HTTP_HEAD_MAX)
		r->verdict = too_long(r);
	if (r->verdict == HTTP_DONE)
		r->head_len = r->scanned;
	return r->verdict;
}

bool http_idle(const struct http_request *r)
{
	return !r->in_fields && r->scanned == r->line;
}
