/* The part of a handler's environment that is the same for all its connections (H22). */
#ifndef CONFIG_ENVIRON_H
#define CONFIG_ENVIRON_H

#include "daemon/config/loader.h"

/* Fills d->s.env, and d->s.name, which is the end of one of its strings.  What `env` sets goes
 * before what `pass_env` finds, and that before PATH and the variables of the user. */
void environ_build(struct loader *l, struct draft *d);

#endif
