/* Durations, sizes and rates as people write them: "250ms", "1.5s", "2h"; "64K", "1G";
 * "100/s", "30/m burst 10".
 * Pure.  Refuses to guess: an unknown unit, an overflow or a fraction too fine is an error. */
#ifndef MODEL_QUANTITY_H
#define MODEL_QUANTITY_H

#include "daemon/model/bucket.h"

#include <stdint.h>

#define QUANTITY_TEXT_MAX 24 /* enough for every text below */

/* Text to milliseconds; units ms, s, m, h, d; without one, seconds.
 * Returns NULL, or what is wrong with the text, for a person (static). */
const char *quantity_duration(const char *text, uint64_t *ms);

/* Text to bytes; units K, M, G, T, powers of 1024; without one, bytes.  Returns as above. */
const char *quantity_size(const char *text, uint64_t *bytes);

/* Text to a rate: a count up to a million, "/s", "/m" or "/h" ("/s" where there is none), and how
 * many may come at once, " burst N"; where it is not said, that is the count.  0 is no limit.
 * Returns as above. */
const char *quantity_rate(const char *text, struct rate *out);

/* A number that was given as a number: seconds to milliseconds.  Returns as above. */
const char *quantity_seconds(double seconds, uint64_t *ms);

/* The shortest exact text: 5000 is "5s", 65536 is "64K".  Returns `out`. */
char *quantity_duration_text(uint64_t ms, char out[QUANTITY_TEXT_MAX]);
char *quantity_size_text(uint64_t bytes, char out[QUANTITY_TEXT_MAX]);

/* A text that quantity_rate reads as this rate again.  Returns `out`. */
char *quantity_rate_text(const struct rate *r, char out[QUANTITY_TEXT_MAX]);

#endif
