/* The beginning of a daemon, once it has a loop and before it serves: as a program that nobody was
 * before, or as what another program was until now (handover.h).
 *
 * What goes wrong in the first is fatal; in the second nothing is, for there are clients.  Refuses
 * to know where the configuration comes from. */
#ifndef RUN_BEGIN_H
#define RUN_BEGIN_H

#include "daemon/run/handover.h"
#include "daemon/run/state.h"

/* Opens all that d->config names and says so, in the log and to who waits for it: `service address`
 * lines to ready_fd, which is closed, -1 for nobody. */
void begin_new(struct daemon *d, int ready_fd);

/* Becomes what the state says, from which d->config is, and then takes the configuration. */
void begin_upgraded(struct daemon *d, struct config *config, const json_t *state);

#endif
