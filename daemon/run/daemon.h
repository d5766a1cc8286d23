/* The whole running daemon: the loop, the services, start and stop. */
#ifndef RUN_DAEMON_H
#define RUN_DAEMON_H

#include "daemon/model/config.h"

struct daemon_options {
	unsigned verbose; /* how many -v: raises the log's level */
	int ready_fd;     /* bound addresses are written here, then it is closed; -1: none */
};

/* Serves until told to stop.  Takes the configuration.  Returns the exit code. */
int daemon_run(struct config *config, const struct daemon_options *options);

#endif
