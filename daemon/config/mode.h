/* mode "wait" and "nowait": what goes together with which, and with datagrams. */
#ifndef CONFIG_MODE_H
#define CONFIG_MODE_H

#include "daemon/config/loader.h"

/* Decides the mode, and complains about keys that would do nothing in it. */
void mode_build(struct loader *l, struct draft *d);

#endif
