/* Token buckets.  Pure: the caller says what time it is.
 *
 * A bucket is one number, the time at which it will be full again (the generic cell rate
 * algorithm): nothing has to be refilled, and a bucket that is full is a bucket at rest. */
#ifndef MODEL_BUCKET_H
#define MODEL_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/* "30/m burst 10": 30 in 60 s on average, 10 at once. */
struct rate {
	uint64_t interval_us; /* between two tokens; 0: no limit */
	uint32_t burst;       /* at least 1 */
};

struct bucket {
	uint64_t full_us; /* 0 at first: full */
};

/* Takes a token.  False: there is none. */
static inline bool bucket_take(struct bucket *b, const struct rate *r, uint64_t now_us)
{
	uint64_t full_us = b->full_us > now_us ? b->full_us : now_us;

	if (!r->interval_us)
		return true;
	if (full_us - now_us > (r->burst - 1) * r->interval_us)
		return false;
	b->full_us = full_us + r->interval_us;
	return true;
}

/* How long until there is a token; 0: there is one. */
static inline uint64_t bucket_wait_us(const struct bucket *b, const struct rate *r, uint64_t now_us)
{
	uint64_t room_us = r->interval_us ? (r->burst - 1) * r->interval_us : 0;

	return b->full_us > now_us + room_us ? b->full_us - now_us - room_us : 0;
}

#endif
