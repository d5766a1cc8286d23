/* The services at run time: made, found, counted, and let go when their last connection ends. */
#ifndef RUN_UNITS_H
#define RUN_UNITS_H

#include "daemon/run/state.h"

/* One that is not listed yet.  Takes a reference of the configuration. */
struct unit *unit_new(struct daemon *d, struct config *config, const struct service *service);

/* Closes what is open and frees it; nothing may refer to it. */
void unit_free(struct unit *u);

/* By name; also one that was removed and still has connections.  NULL: none. */
struct unit *unit_find(const struct daemon *d, const char *name);

/* Into the daemon's list, at its end; and all out of it. */
void unit_list(struct unit *u);
void units_take(struct daemon *d, struct units *into);

/* From now on it goes by this. */
void unit_configure(struct unit *u, struct config *config, const struct service *service);

/* A reload took it away: no new connections, and those that are there go on. */
void unit_remove(struct unit *u);

/* The same with some limit changed: its state stays. */
void unit_tune(struct unit *u, struct config *config, const struct service *service);

/* Its clients wait in the kernel's backlog until it is resumed. */
void unit_pause(struct unit *u);
void unit_resume(struct unit *u);

/* Closes its addresses; connections live on. */
void unit_close(struct unit *u);

/* Serves again, whether it was closed or paused.  Returns how many of its addresses could not be
 * opened and will be tried again. */
size_t unit_open(struct unit *u);

/* Frees those that were removed and of which nothing is left. */
void units_sweep(struct daemon *d);

/* Its sums in the log, where anything came: arrived is accepted and refused. */
void unit_tell_ledger(const struct unit *u);

/* Opens what superd itself needs for the service.  NULL, or what failed, with errno. */
const char *unit_needs(struct daemon *d, const struct service *s);

#endif
