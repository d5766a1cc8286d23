/* What is run: `exec`, `shell` and `argv0` to a program and its arguments, with the program in
 * front of it that reads what a proxy declares. */
#ifndef CONFIG_COMMAND_H
#define CONFIG_COMMAND_H

#include "daemon/config/loader.h"

/* Fills d->s.program and d->s.argv, which stay NULL for a trap: it runs nothing. */
void command_build(struct loader *l, struct draft *d);

#endif
