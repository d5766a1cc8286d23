/* superd --doctor: what goes wrong in practice, before it does, each with its remedy.
 *
 * It tries what can be tried: to run the program as its user, to bind the address.  It is no part
 * of the daemon, and may wait. */
#ifndef RUN_DOCTOR_H
#define RUN_DOCTOR_H

#include "daemon/model/config.h"

#include <stdio.h>

/* Returns how many problems there are; what is only doubtful does not count. */
size_t doctor(const struct config *config, const char *control, FILE *out);

#endif
