/* A handler's stderr, line by line into the log (H19).
 * A pipe for each connection, because a line must carry its connection even when a grandchild
 * wrote it and is gone. */
#ifndef RUN_CAPTURE_H
#define RUN_CAPTURE_H

#include "daemon/run/state.h"

struct capture;

/* Makes sure that a pipe for the next connection is at hand, so that the lack of descriptors is
 * found before a client is accepted.  0, or -1 with errno. */
int capture_prepare(struct daemon *d);

/* Takes the prepared pipe for a connection.  *write_fd is the handler's end, the caller's. */
struct capture *capture_take(struct daemon *d, const struct conn *c, int *write_fd);

/* The handler has a pid now. */
void capture_begin(struct capture *c, pid_t pid);

/* It has outlived the moment (young.h): from now on its lines are logged as they come. */
void capture_watch(struct capture *c);

/* The handler exited: what it wrote is logged.  If somebody else still holds the other end
 * (a process left in the background), it goes on by itself until that one ends; or until there
 * are too many of these, and then the oldest is given up. */
void capture_end(struct capture *c);

/* For an upgrade: what is known of each, and one that goes on from it.  `service` is of `config`
 * then, of which a reference is kept; the descriptor is taken. */
struct capture_view {
	const char *service;
	uint64_t conn;
	pid_t pid;
	int fd;
	bool orphan; /* its handler is gone, somebody else still writes */
	const char *part;
	size_t len;
};
void captures_each(const struct daemon *d,
	void (*each)(const struct capture_view *v, void *context), void *context);
struct capture *capture_restore(
	struct daemon *d, struct config *config, const struct capture_view *v);

/* At the end of superd: the last lines, then all are freed. */
void captures_free(struct daemon *d);

#endif
