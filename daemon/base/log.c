#include "daemon/base/log.h"

#include "daemon/base/clock.h"
#include "daemon/base/fd.h"
#include "daemon/base/sink.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void log_bytes(struct log_line *l, const char *key, const void *bytes, size_t len)
{
	line_bytes(&l->written, key, bytes, len);
	line_bytes(&l->tapped, key, bytes, len);
}

void log_str(struct log_line *l, const char *key, const char *value)
{
	if (value)
		log_bytes(l, key, value, strlen(value));
}

static void log_number(struct log_line *l, const char *key, const char *number)
{
	line_number(&l->written, key, number);
	line_number(&l->tapped, key, number);
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

void log_text(struct log_line *l, const char *key, const char *value)
{
	line_text(&l->written, key, value);
	line_text(&l->tapped, key, value);
}

/* syslog and the journal stamp the time themselves. */
static bool stamped_elsewhere(void)
{
	return options.target == LOG_SYSLOG || options.target == LOG_JOURNAL;
}

void log_begin(struct log_line *l, enum log_level level, const char *verb)
{
	static const char *const names[] = { "error", "notice", "info", "tour" };

	l->wanted = log_on(level);
	l->level = level;
	l->written.on = level <= options.level;
	if (l->written.on)
		line_begin(&l->written, options.format, names[level], verb, !stamped_elsewhere());
	l->tapped.on = tap.take && level <= tap.level;
	if (l->tapped.on)
		line_begin(&l->tapped, LOG_JSON, names[level], verb, true);
}

void log_end(struct log_line *l)
{
	static const int priorities[] = { 3, 5, 6, 7 }; /* as in syslog.h */

	if (l->written.on) {
		line_end(&l->written);
		sink_line(priorities[l->level], l->written.text, l->written.len);
	}
	if (l->tapped.on) {
		line_end(&l->tapped);
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
