/* Another configuration for a running superd: on HUP, or when it is asked to.
 *
 * All or nothing (H47).  First what can fail: the new file is read and checked, addresses that are
 * new are bound, the log is opened.  Then what cannot: services and listeners change hands.  An
 * address that stays keeps its socket, with the clients in its backlog (H48); connections that
 * live keep the configuration they came under (H49). */
#ifndef RUN_RELOAD_H
#define RUN_RELOAD_H

#include "daemon/config/complain.h"
#include "daemon/run/state.h"

/* True: the new configuration is in force.  False: nothing has changed, and why not is in the
 * log, and added to *complaints if that is not NULL. */
bool reload(struct daemon *d, struct complaints *complaints);

/* After an upgrade: d has what the state says, and takes this configuration, which was checked
 * before.  Addresses that cannot be opened now are tried again, as at a start. */
void reload_onto(struct daemon *d, struct config *config);

#endif
