/*
 * duration: "30s", "5m", "2h", "250ms"; a plain number is seconds.  As in services.json(5).
 *
 * Pure.  It refuses signs, blanks, fractions, and what is above the caller's maximum.
 */
#ifndef HANDLERS_COMMON_DURATION_H
#define HANDLERS_COMMON_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* False: not a duration, or longer than max_ms.  Then *ms is as it was. */
bool duration_parse(const char *text, uint64_t max_ms, uint64_t *ms);

#endif
