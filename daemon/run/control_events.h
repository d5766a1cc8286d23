/* The log, for clients of the control socket: the last events, kept for whoever asks afterwards,
 * and each as it comes, for those who follow.
 *
 * Never waits for a client: one that reads too slowly misses events, and is told how many.  Refuses
 * to keep what each connection says, which would wash everything else out. */
#ifndef RUN_CONTROL_EVENTS_H
#define RUN_CONTROL_EVENTS_H

#include "daemon/base/log.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define EVENTS_HISTORY 256 /* that a client can be told of afterwards */

struct bufferevent;

struct follower {
	TAILQ_ENTRY(follower) all;
	struct bufferevent *io; /* borrowed */
	bool follows;
	enum log_level level;
	uint64_t missed;
};

struct events {
	TAILQ_HEAD(followers, follower) followers;
	bool wanted;
	char *history[EVENTS_HISTORY]; /* owned; a ring */
	enum log_level levels[EVENTS_HISTORY];
	uint64_t told; /* since the start */
};

void events_init(struct events *e);
void events_fini(struct events *e);

/* Is there anybody who could ask?  Otherwise nothing is kept. */
void events_want(struct events *e, bool wanted);

/* Sends it those of the last `count` events that are at most of this level. */
void events_tell(
	const struct events *e, struct bufferevent *io, enum log_level level, size_t count);

/* It is sent what comes from now on, up to this level; and no more. */
void events_follow(struct events *e, struct follower *f, enum log_level level);
void events_leave(struct events *e, struct follower *f);

/* It has read everything: how much it missed meanwhile it is told now. */
void events_caught_up(struct follower *f);

#endif
