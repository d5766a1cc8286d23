/* The whole running daemon: what it is made of, the loop, the end.  How it begins is begin.h. */
#ifndef RUN_DAEMON_H
#define RUN_DAEMON_H

#include "daemon/model/config.h"

struct daemon;

struct daemon_options {
	const char *file;       /* what -c named; NULL: there is nothing that can be read again */
	const char *control;    /* path of the control socket, over the configuration's; or NULL */
	char *program;          /* this one's file, for an upgrade */
	char *const *arguments; /* what it would be started with; NULL: it cannot be again */
	const char *pid_path;   /* of -p; NULL: none */
	bool background;        /* -d: a log on stderr would be nobody's, so it is syslog's */
	int detached;           /* for detach_done(); -1: there is nobody to tell */
	int inherit;            /* the state of the superd before this one; -1: none */
	const char *folder;     /* what it is relative to */
	char *const *settings;  /* of -o, NULL-terminated */
	unsigned verbose;       /* how many -v: raises the log's level */
	int ready_fd;           /* bound addresses are written here, then it is closed; -1: none */
};

/* Turns to the log that a configuration names.  0, or -1 with errno and the old one kept. */
int daemon_log(const struct daemon *d, const struct config *config);

/* Serves until told to stop.  Takes the configuration.  Returns the exit code. */
int daemon_run(struct config *config, const struct daemon_options *options);

#endif
