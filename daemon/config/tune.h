/* One limit of one service, changed while superd runs, until the next reload. */
#ifndef CONFIG_TUNE_H
#define CONFIG_TUNE_H

#include "daemon/config/complain.h"
#include "daemon/model/config.h"

/* The configuration with KEY of a service set to VALUE (JSON, or a bare string), by the same table
 * and checks as in a file.  Only keys that are a limit can be set so.  The new configuration
 * refers to `base` and keeps it alive; services have the same numbers in both.
 * NULL: there is a complaint. */
struct config *config_tune(struct config *base, size_t service, const char *key, const char *value,
	struct complaints *complaints);

#endif
