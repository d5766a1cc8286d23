#include "daemon/base/line.h"

#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#define TAIL 4       /* kept at the end of a line: quote, brace, newline */
#define FIELD_MIN 32 /* a field that has not even this much room is left out */

static void put(struct line *l, const char *bytes, size_t n)
{
	size_t room = sizeof l->text - TAIL - l->len;

	if (n > room)
		n = room;
	memcpy(l->text + l->len, bytes, n);
	l->len += n;
}

/* All or nothing: an escape or a character is never cut in half by the end of the line. */
static bool put_whole(struct line *l, const char *bytes, size_t n)
{
	if (l->len + n > sizeof l->text - TAIL)
		return false;
	put(l, bytes, n);
	return true;
}

/* Length of the valid UTF-8 sequence at p, 0 if there is none (overlong, surrogate, cut). */
static size_t utf8_length(const unsigned char *p, size_t n)
{
	static const unsigned char least[] = { 0, 0, 0, 0xa0, 0x90 };
	size_t len = *p >= 0xc2 && *p <= 0xdf   ? 2
		     : *p >= 0xe0 && *p <= 0xef ? 3
		     : *p >= 0xf0 && *p <= 0xf4 ? 4
						: 0;

	if (!len || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 || *p == 0xf0) && p[1] < least[len])
		return 0;
	if ((*p == 0xed && p[1] > 0x9f) || (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	/* C1 controls are as able to move a terminal's cursor as C0 ones. */
	if (*p == 0xc2 && p[1] < 0xa0)
		return 0;
	return len;
}

/* One character, or one byte that is none, as it is to be written.  Returns how many bytes of p
 * it took; *n is how many it is. */
static size_t escape(
	const unsigned char *p, size_t left, bool json, bool quoted, char out[8], size_t *n)
{
	size_t len = 1;

	if (quoted && (*p == '"' || *p == '\\')) {
		out[0] = '\\';
		out[1] = (char)*p;
		*n = 2;
	} else if ((*p >= 0x20 && *p < 0x7f) || (*p >= 0x80 && (len = utf8_length(p, left)))) {
		memcpy(out, p, len);
		*n = len;
	} else if (json && *p < 0x80) {
		*n = (size_t)sprintf(out, "\\u%04x", *p);
		len = 1;
	} else {
		/* In JSON a byte that is no text becomes the text \xHH. */
		*n = (size_t)sprintf(out, json ? "\\\\x%02x" : "\\x%02x", *p);
		len = 1;
	}
	return len;
}

/* `quoted`: between quotes, so that these and backslashes are escaped too. */
static void put_escaped(struct line *l, const unsigned char *p, size_t n, bool quoted)
{
	bool json = l->format == LOG_JSON;

	while (n) {
		char out[8];
		size_t out_len, took = escape(p, n, json, quoted, out, &out_len);

		if (!put_whole(l, out, out_len))
			return;
		p += took;
		n -= took;
	}
}

/* A value that reads the same without quotes goes without them. */
static bool plain(const unsigned char *p, size_t n)
{
	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i] <= ' ' || p[i] >= 0x7f || p[i] == '"' || p[i] == '\\' || p[i] == '=')
			return false;
	return true;
}

/* False: no room, or the line is not wanted. */
static bool put_key(struct line *l, const char *key)
{
	size_t n = strlen(key);

	if (!l->on || l->len + n + FIELD_MIN > sizeof l->text - TAIL)
		return false;
	if (l->format == LOG_JSON) {
		put(l, ",\"", 2);
		put(l, key, n);
		put(l, "\":", 2);
	} else {
		put(l, " ", 1);
		put(l, key, n);
		put(l, "=", 1);
	}
	return true;
}

void line_bytes(struct line *l, const char *key, const void *bytes, size_t len)
{
	if (!put_key(l, key))
		return;
	if (l->format == LOG_TEXT && plain(bytes, len)) {
		put_whole(l, bytes, len);
		return;
	}
	put(l, "\"", 1);
	put_escaped(l, bytes, len, true);
	l->text[l->len++] = '"'; /* TAIL has the room */
}

void line_number(struct line *l, const char *key, const char *number)
{
	if (put_key(l, key))
		put(l, number, strlen(number));
}

void line_text(struct line *l, const char *key, const char *value)
{
	if (!l->on)
		return;
	if (l->format == LOG_JSON) {
		line_bytes(l, key, value, strlen(value));
	} else {
		put(l, " ", 1);
		put_escaped(l, (const unsigned char *)value, strlen(value), false);
	}
}

static void put_time(struct line *l)
{
	struct timeval now;
	struct tm utc;
	char text[40];
	size_t n;

	gettimeofday(&now, NULL);
	gmtime_r(&now.tv_sec, &utc);
	n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
	n += (size_t)snprintf(text + n, sizeof text - n, ".%03dZ", (int)(now.tv_usec / 1000));
	put(l, text, n);
}

static void begin_json(struct line *l, const char *level, const char *verb)
{
	put(l, "{\"time\":\"", 9);
	put_time(l);
	put(l, "\",\"level\":\"", 11);
	put(l, level, strlen(level));
	put(l, "\",\"event\":\"", 11);
	put(l, verb, strlen(verb));
	put(l, "\"", 1);
}

static void begin_text(struct line *l, const char *verb, bool stamped)
{
	if (stamped) {
		put_time(l);
		put(l, " ", 1);
	}
	put(l, verb, strlen(verb));
}

void line_begin(
	struct line *l, enum log_format format, const char *level, const char *verb, bool stamped)
{
	l->on = true;
	l->format = format;
	l->len = 0;
	if (format == LOG_JSON)
		begin_json(l, level, verb);
	else
		begin_text(l, verb, stamped);
}

void line_end(struct line *l)
{
	if (l->format == LOG_JSON)
		l->text[l->len++] = '}';
	l->text[l->len++] = '\n';
}
