/* Whom the handlers run as, and who owns a socket: names to numbers, each asked once. */
#ifndef CONFIG_IDENTITY_H
#define CONFIG_IDENTITY_H

#include "daemon/config/loader.h"

/* Fills d->s.identity and the owner in d->s.socket from the draft's names, and checks that superd
 * may take them on.  Complaints go to the places of the keys. */
void identity_build(struct loader *l, struct draft *d);

/* The number of a user, or of a group.  NULL, or what is wrong, in `why`. */
const char *identity_number(
	struct loader *l, const char *name, bool user, uint32_t *out, char why[160]);

void identity_forget(struct loader *l);

#endif
