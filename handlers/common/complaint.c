#include "handlers/common/complaint.h"

#include <stdarg.h>
#include <stdio.h>

void complain(struct complaint *c, uint64_t now_ms, const char *format, ...)
{
	char line[512];
	va_list ap;

	if (c->told_ms && now_ms - c->told_ms < 1000) {
		c->untold++;
		return;
	}
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (c->untold)
		dprintf(2, "%s: %s (and %zu more before)\n", c->program, line, c->untold);
	else
		dprintf(2, "%s: %s\n", c->program, line);
	c->told_ms = now_ms;
	c->untold = 0;
}
