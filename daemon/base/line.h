/* One line of the log while it is built: bounded, as key=value or as JSON, and whatever is put into
 * it escaped in one place (H52).
 *
 * What has no room is left out, but never cut in the middle of a character, and the line always
 * ends as its format does.  Refuses to know where it goes, and to write anything. */
#ifndef BASE_LINE_H
#define BASE_LINE_H

#include <stdbool.h>
#include <stddef.h>

enum log_format { LOG_TEXT, LOG_JSON };

struct line {
	size_t len;
	bool on; /* false: it is not wanted, and takes nothing */
	enum log_format format;
	char text[4096];
};

/* `stamped`: with the time, even as text. */
void line_begin(
	struct line *l, enum log_format format, const char *level, const char *verb, bool stamped);

/* Fields, where the line is on.  A number is text that needs no quotes in JSON. */
void line_bytes(struct line *l, const char *key, const void *bytes, size_t len);
void line_number(struct line *l, const char *key, const char *number);

/* A value that is the line: without key and quotes in text, as any other in JSON. */
void line_text(struct line *l, const char *key, const char *value);

void line_end(struct line *l);

#endif
