/* What would run: the table of `superd -t`. */
#ifndef CONFIG_SHOW_H
#define CONFIG_SHOW_H

#include "daemon/model/config.h"

#include <stdio.h>

/* A table for people: service, listen, resolved program, user, limits. */
void show_config(const struct config *c, FILE *out);

#endif
