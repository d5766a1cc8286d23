/* Descriptors held back for a service that has no connection at all (H3): where a flood on one
 * service has taken all there are, the first connection of another is still served. */
#ifndef RUN_RESERVE_H
#define RUN_RESERVE_H

#include "daemon/run/state.h"

/* Takes back what is missing, as far as there are descriptors. */
void reserve_fill(struct daemon *d);

/* Gives all of them up for the moment.  False if there is none. */
bool reserve_release(struct daemon *d);

/* After something failed: true if it failed for want of descriptors, and the reserve was given up
 * for this service, because it has nothing and others must not shut it out. */
bool reserve_release_for(const struct unit *u);

/* How many descriptors may be kept, at most, for what superd can do without: a share of all, so
 * that whoever piles it up shuts nobody out. */
size_t reserve_share(const struct daemon *d);

#endif
