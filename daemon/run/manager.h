/* The service manager that started superd, if one did: systemd, or what speaks its protocol. */
#ifndef RUN_MANAGER_H
#define RUN_MANAGER_H

#include "daemon/run/state.h"

/* superd serves; or it is changing, after which the manager must be told that it serves. */
void manager_ready(const struct daemon *d);
void manager_reloading(void);

/* Warns of sockets that were handed over and that no service listens on. */
void manager_tell_unused(const struct daemon *d);

/* Feeds the watchdog, where there is one. */
void manager_watch(struct daemon *d);
void manager_free(struct daemon *d);

#endif
