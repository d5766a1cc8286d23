/* What a reload keeps: which of the open addresses the new configuration wants again.
 *
 * The same text is the same socket, whichever service has it now, so a client that waits in its
 * backlog never notices (H48).  Port 0 is another port each time it is opened; it stays with its
 * service only. */
#ifndef MODEL_DIFF_H
#define MODEL_DIFF_H

#include "daemon/model/addr.h"

#define DIFF_NONE SIZE_MAX

struct diff_item {
	const struct addr *addr; /* borrowed */
	const char *service;     /* borrowed: the name of who has it */
	size_t index;            /* the caller's */
	size_t match;            /* out: the index of its partner, or DIFF_NONE */
};

/* Pairs old and new; each has one partner at most.  Sorts both arrays. */
void diff_pair(struct diff_item *old, size_t old_count, struct diff_item *new, size_t new_count);

#endif
