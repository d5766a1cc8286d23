/* One line a second for what may happen a thousand times a second; the rest is counted (H37).
 * Pure: the caller says what time it is. */
#ifndef MODEL_PACE_H
#define MODEL_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
	uint64_t next_ms;
	uint32_t silent; /* how many were not told since the last one */
};

/* True if this one may be told; *silent is then how many were not, and counting starts anew. */
static inline bool pace_take(struct pace *p, uint64_t now_ms, uint32_t *silent)
{
	if (now_ms < p->next_ms) {
		p->silent++;
		return false;
	}
	*silent = p->silent;
	p->silent = 0;
	p->next_ms = now_ms + 1000;
	return true;
}

#endif
