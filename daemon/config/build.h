/* From a draft to a service: what follows from several keys together, and from this machine. */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

#include "daemon/config/loader.h"

/* Makes d->s complete: program, argv, environment, identity, folders.  Complains about what does
 * not go together.  What depends on this machine (programs, accounts, folders, privileges) is not
 * asked of a disabled service. */
void build_service(struct loader *l, struct draft *d);

/* Complains at the value of a key, or at the service's name where the key is not given. */
void draft_complain(struct loader *l, const struct draft *d, const char *key, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/* The path that is the value of a key, on the heap: relative to the file that names it; inside a
 * chroot, to its root. */
char *draft_inside(const struct draft *d, const char *key, const char *path);

/* True if superd has the capability.  Root has all of them, but not in every container. */
bool build_may(int capability);

/* True if the key was given, in the service or in defaults. */
bool draft_has(const struct draft *d, const char *key);

#endif
