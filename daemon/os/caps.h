/* Capabilities of superd itself: after the start it keeps what its configuration calls for.
 *
 * As root it would have all; whoever takes superd over has what it kept.  A handler that runs as
 * root must find all of them, since no_new_privs lets it have no more than superd has; so where
 * there is one, nothing is given up.  What was given up comes back with an upgrade, because the
 * exec of a program by root gives all again. */
#ifndef OS_CAPS_H
#define OS_CAPS_H

#include "daemon/model/config.h"

/* Sets are masks: bit n is capability n of capabilities(7).
 *
 * What this configuration calls for, also at a later reload of the same; CAPS_ALL: everything. */
#define CAPS_ALL UINT64_MAX
uint64_t caps_needed(const struct config *config, bool root);

/* What making and removing a file takes, in a folder that may be somebody else's; NULL: nothing. */
uint64_t caps_of_file(const char *path);

/* What superd has. */
uint64_t caps_held(void);

/* Gives up all others, also for programs that it starts.  0, or -1 with errno. */
int caps_keep(uint64_t wanted);

/* A superd that is not root has them from its parent; so that they survive an exec, or not. */
void caps_carry(bool over_exec);

/* The name of the lowest in the set, such as "CAP_SETUID". */
const char *caps_name(uint64_t set);

#endif
