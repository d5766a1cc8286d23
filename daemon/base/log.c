#include "daemon/base/log.h"

#include "daemon/base/clock.h"
#include "daemon/base/fd.h"
#include "daemon/base/sink.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define TAIL 4       /* kept at the end of a line: quote, brace, newline */
#define FIELD_MIN 32 /* a field that has not even this much room is left out */

static struct log_options options = { .target = LOG_STDERR, .level = LOG_NOTICE };
static struct log_tap tap;

int log_open(const struct log_options *o)
{
	if (sink_open(o->target, o->path) < 0)
		return -1;
	options = *o;
	return 0;
}

int log_reopen(void)
{
	return sink_open(options.target, options.path);
}

void log_set_tap(const struct log_tap *t)
{
	tap = *t;
}

bool log_on(enum log_level level)
{
	return level <= options.level || (tap.take && level <= tap.level);
}

/* Once the sink takes lines again, it is told what it missed. */
static void tell_dropped(void)
{
	uint64_t lost = sink_untold(), before = sink_dropped();
	struct log_line l;

	if (!lost)
		return;
	log_begin(&l, LOG_ERROR, "dropped");
	log_num(&l, "lines", (int64_t)lost);
	log_end(&l);
	/* The line that tells is not one of those that it tells of. */
	sink_told(sink_dropped() == before ? lost : 1);
}

bool log_flush(void)
{
	if (!sink_flush())
		return false;
	tell_dropped();
	return sink_flush();
}

void log_drain(int wait_ms)
{
	sink_drain(wait_ms);
	log_flush();
}

uint64_t log_dropped(void)
{
	return sink_dropped();
}

/* ---- building a line */

static void put(struct log_text *l, const char *bytes, size_t n)
{
	size_t room = sizeof l->text - TAIL - l->len;

	if (n > room)
		n = room;
	memcpy(l->text + l->len, bytes, n);
	l->len += n;
}

/* All or nothing: an escape or a character is never cut in half by the end of the line. */
static bool put_whole(struct log_text *l, const char *bytes, size_t n)
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
static void put_escaped(struct log_text *l, const unsigned char *p, size_t n, bool quoted)
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
static bool put_key(struct log_text *l, const char *key)
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

static void put_value(struct log_text *l, const char *key, const void *bytes, size_t len)
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

static void put_number(struct log_text *l, const char *key, const char *number)
{
	if (put_key(l, key))
		put(l, number, strlen(number));
}

void log_bytes(struct log_line *l, const char *key, const void *bytes, size_t len)
{
	put_value(&l->written, key, bytes, len);
	put_value(&l->tapped, key, bytes, len);
}

void log_str(struct log_line *l, const char *key, const char *value)
{
	if (value)
		log_bytes(l, key, value, strlen(value));
}

static void log_number(struct log_line *l, const char *key, const char *number)
{
	put_number(&l->written, key, number);
	put_number(&l->tapped, key, number);
}

void log_num(struct log_line *l, const char *key, int64_t value)
{
	char text[24];

	if (!l->wanted)
		return;
	snprintf(text, sizeof text, "%" PRId64, value);
	log_number(l, key, text);
}

void log_ms(struct log_line *l, const char *key, int64_t us)
{
	char text[32];

	if (!l->wanted)
		return;
	snprintf(text, sizeof text, "%" PRId64 ".%03d", us / 1000, (int)(us % 1000));
	log_number(l, key, text);
}

static void put_text(struct log_text *l, const char *key, const char *value)
{
	if (l->format == LOG_JSON) {
		put_value(l, key, value, strlen(value));
	} else if (l->on) {
		put(l, " ", 1);
		put_escaped(l, (const unsigned char *)value, strlen(value), false);
	}
}

void log_text(struct log_line *l, const char *key, const char *value)
{
	put_text(&l->written, key, value);
	put_text(&l->tapped, key, value);
}

/* syslog and the journal stamp the time themselves. */
static bool stamped_elsewhere(void)
{
	return options.target == LOG_SYSLOG || options.target == LOG_JOURNAL;
}

static void put_time(struct log_text *l)
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

static void begin_json(struct log_text *l, enum log_level level, const char *verb)
{
	static const char *const names[] = { "error", "notice", "info", "tour" };

	put(l, "{\"time\":\"", 9);
	put_time(l);
	put(l, "\",\"level\":\"", 11);
	put(l, names[level], strlen(names[level]));
	put(l, "\",\"event\":\"", 11);
	put(l, verb, strlen(verb));
	put(l, "\"", 1);
}

static void begin_text(struct log_text *l, const char *verb)
{
	if (!stamped_elsewhere()) {
		put_time(l);
		put(l, " ", 1);
	}
	put(l, verb, strlen(verb));
}

static void begin(
	struct log_text *l, bool on, enum log_format format, enum log_level level, const char *verb)
{
	l->on = on;
	l->format = format;
	l->len = 0;
	if (!on)
		return;
	if (format == LOG_JSON)
		begin_json(l, level, verb);
	else
		begin_text(l, verb);
}

void log_begin(struct log_line *l, enum log_level level, const char *verb)
{
	l->wanted = log_on(level);
	l->level = level;
	begin(&l->written, level <= options.level, options.format, level, verb);
	begin(&l->tapped, tap.take && level <= tap.level, LOG_JSON, level, verb);
}

static void end(struct log_text *l)
{
	if (l->format == LOG_JSON)
		l->text[l->len++] = '}';
	l->text[l->len++] = '\n';
}

void log_end(struct log_line *l)
{
	static const int priorities[] = { 3, 5, 6, 7 }; /* as in syslog.h */

	if (l->written.on) {
		end(&l->written);
		sink_line(priorities[l->level], l->written.text, l->written.len);
	}
	if (l->tapped.on) {
		end(&l->tapped);
		tap.take(tap.context, l->level, l->tapped.text, l->tapped.len);
	}
}

void log_say(enum log_level level, const char *verb, const char *format, ...)
{
	struct log_line l;
	char what[1024];
	va_list ap;

	if (!log_on(level))
		return;
	va_start(ap, format);
	vsnprintf(what, sizeof what, format, ap);
	va_end(ap);
	log_begin(&l, level, verb);
	log_str(&l, "what", what);
	log_end(&l);
}

void fatal(const char *format, ...)
{
	char what[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof what, format, ap);
	va_end(ap);
	if (options.target != LOG_STDERR)
		log_say(LOG_ERROR, "stop", "%s", what);
	log_drain(500);
	dprintf(STDERR_FILENO, "superd: %s\n", what);
	exit(111);
}
