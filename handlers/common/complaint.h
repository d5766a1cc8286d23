/*
 * complaint: what goes wrong again and again, as one line a second in the log.
 *
 * A crowd of clients with one trouble is one trouble.  What is left out is counted, and the next
 * line says so.  It refuses to know what the time is.
 */
#ifndef HANDLERS_COMMON_COMPLAINT_H
#define HANDLERS_COMMON_COMPLAINT_H

#include <stddef.h>
#include <stdint.h>

struct complaint {
	const char *program; /* borrowed: each line begins with it */
	uint64_t told_ms;
	size_t untold;
};

void complain(struct complaint *c, uint64_t now_ms, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
