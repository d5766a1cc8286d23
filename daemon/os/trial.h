/* What a user may, tried by a process that becomes that user; and who has an address. */
#ifndef OS_TRIAL_H
#define OS_TRIAL_H

#include "daemon/model/service.h"

/* Can the service's user, inside its chroot, enter its directory and run its program?
 * 0, or an errno, and *call names what failed. */
int trial_run(const struct service *s, const char **call);

struct holder {
	pid_t pid; /* 0: not known */
	char name[32];
};

/* Who listens on a port, or has a unix socket's path. */
void trial_holder(const struct addr *a, struct holder *out);

#endif
