/* superd as JSON, for those who look at it.  Reads everything, changes nothing. */
#ifndef RUN_CONTROL_VIEW_H
#define RUN_CONTROL_VIEW_H

#include "daemon/run/state.h"

#include <jansson.h>

/* superd itself: version, pid, how long it runs, how many are live. */
json_t *view_daemon(const struct daemon *d);

/* A service: its state, its addresses and its ledger; in full, with configuration and metrics. */
json_t *view_service(const struct unit *u, bool full);

/* The upper bounds of the histograms in it, in microseconds. */
json_t *view_bounds(void);

/* The connections of a service, or of all (NULL); those that wait as well. */
json_t *view_connections(const struct daemon *d, const struct unit *of);

json_t *view_bans(const struct daemon *d);

/* Would a connection from there be admitted now, and if not, why, and when again? */
json_t *view_explain(struct unit *u, const struct acl_key *key);

#endif
