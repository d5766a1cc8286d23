/* The log: one line per fact, stable verbs, key=value or JSON (line.h).
 *
 * A line is built on the stack, then queued; log_flush() writes what the sink takes without
 * waiting.  A slow or stuck sink never stalls the caller: what does not fit the queue is
 * dropped, counted, and the count is told (H24).  The sink is the only global of superd. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "daemon/base/line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_ERROR,  /* something is broken and a person should look */
	LOG_NOTICE, /* the default: start, stop, refusals, failures */
	LOG_INFO,   /* -v: every connection */
	LOG_TOUR,   /* -vv: every system call of a connection's life */
};

enum log_target { LOG_STDERR, LOG_FILE, LOG_SYSLOG, LOG_JOURNAL };

struct log_options {
	enum log_target target;
	enum log_format format;
	enum log_level level;
	const char *path; /* of LOG_FILE; of the other sockets NULL means the usual place */
};

/* Turns to a target.  Returns 0, or -1 with errno and the old target kept.
 * Options are copied but for `path`, which must outlive the sink. */
int log_open(const struct log_options *o);

/* Opens the file again (logrotate); 0, or -1 with errno and the old one kept. */
int log_reopen(void);

/* Writes what the sink takes now.  False: something is left, call again later. */
bool log_flush(void);

/* Waits up to `wait_ms` for the sink to take the rest.  For the end of the program. */
void log_drain(int wait_ms);

/* True if lines of this level are written at all; lets callers skip the work. */
bool log_on(enum log_level level);

/* Lines dropped since the start because the sink was stuck. */
uint64_t log_dropped(void);

/* Somebody who listens in: gets every line up to `level` as JSON, whatever the log itself does.
 * He must not log. */
struct log_tap {
	enum log_level level;
	void (*take)(void *context, enum log_level level, const char *line, size_t len);
	void *context;
};

/* One at a time; one whose `take` is NULL ends it. */
void log_set_tap(const struct log_tap *t);

/* A line under construction.  log_begin, any number of fields, log_end. */
struct log_line {
	bool wanted; /* by the log or by the tap */
	enum log_level level;
	struct line written, tapped;
};

void log_begin(struct log_line *l, enum log_level level, const char *verb);
void log_str(struct log_line *l, const char *key, const char *value); /* NULL: no field */
void log_bytes(struct log_line *l, const char *key, const void *bytes, size_t len);
void log_num(struct log_line *l, const char *key, int64_t value);
void log_ms(struct log_line *l, const char *key, int64_t us); /* microseconds as 12.345 */

/* A value that is the line: without key and quotes in text, as any other in JSON. */
void log_text(struct log_line *l, const char *key, const char *value);
void log_end(struct log_line *l);

/* A line with one field, `what`: for facts that are a sentence. */
void log_say(enum log_level level, const char *verb, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* For what cannot go on: the sentence goes to the log and to stderr, then exit(111). */
void fatal(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
