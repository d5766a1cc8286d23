/* The state of a running superd, from one program to the next that the same process becomes.
 *
 * It is JSON in a memfd.  Descriptors go by their numbers, times by the monotonic clock, which is
 * the same for both.  What is not in it is made anew from the configuration: services, limits,
 * lists.  So the new program first becomes what the old one was, as far as this says, and then
 * takes its own configuration as a reload does. */
#ifndef RUN_HANDOVER_H
#define RUN_HANDOVER_H

#include "daemon/run/state.h"

#include <jansson.h>

/* One more for each change of the form, and of an enum whose numbers are in it (reason, addr_kind,
 * acl_kind); what a program does not know, it refuses. */
#define HANDOVER_FORM 2

struct inheritance;

/* The state, and in *in the descriptors that it names. */
json_t *handover_save(struct daemon *d, struct inheritance *in);

/* The sockets that were handed over to the first of us (os/handed.h); a configuration is read with
 * them.  Nothing where the state cannot be read: that is told later. */
void handover_take_sockets(int fd);

/* What holds the pid file's lock, or -1. */
int handover_pid_fd(const json_t *state);

/* Reads what is in the memfd.  NULL, and *why not. */
json_t *handover_read(int fd, const char **why);

/* Before anything else of a daemon is made: what its configuration was. */
struct config *handover_config(const json_t *state);

/* Units, listeners, connections and all that belongs to them.  d->config is handover_config's. */
void handover_restore(struct daemon *d, const json_t *state);

/* Once the new configuration is in force: those who waited for a place wait again. */
void handover_restore_waiting(struct daemon *d, const json_t *state);

#endif
