/* Limits on who gets in and for how long: the keys that mean something only together with others.
 */
#ifndef CONFIG_ADMISSION_H
#define CONFIG_ADMISSION_H

#include "daemon/config/loader.h"

/* Makes the service's fields from the draft's words and numbers, and complains about what has no
 * meaning with the addresses that it has. */
void admission_build(struct loader *l, struct draft *d);

#endif
