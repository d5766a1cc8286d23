/* Complaints about a configuration: collected, sorted by place, printed all at once (H58). */
#ifndef CONFIG_COMPLAIN_H
#define CONFIG_COMPLAIN_H

#include "daemon/base/mem.h"

#include <stdio.h>

struct complaint {
	const char *file; /* as named by the user */
	unsigned line, column;
	const char *text; /* service 'x': key: what; hint */
};

struct complaints {
	struct arena arena;
	struct complaint *list; /* owned */
	size_t count, cap;
};

/* Adds one, printf-like.  `line` 0: the place is the file itself. */
void complain(struct complaints *c, const char *file, unsigned line, unsigned column,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Tells them sorted, each once, as `file:line:column: text`. */
void complaints_each(
	struct complaints *c, void (*each)(const char *line, void *context), void *context);

/* The same, one a line. */
void complaints_print(struct complaints *c, FILE *out);

void complaints_free(struct complaints *c);

#endif
