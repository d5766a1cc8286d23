/* What "fd:NAME" means: the sockets that superd's parent opened, by their name or number. */
#ifndef CONFIG_PASSED_H
#define CONFIG_PASSED_H

#include "daemon/model/addr.h"

/* Calls each(addr, context) for every one of that name.  NULL, or what is wrong, for a person. */
const char *passed_find(const char *name, void (*each)(const struct addr *, void *), void *context,
	char *why, size_t why_size);

#endif
