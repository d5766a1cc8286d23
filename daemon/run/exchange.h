/* The listeners of a running superd, when another configuration comes: which stay and with whom,
 * which are opened, which are closed.
 *
 * An address that stays keeps its socket, with the clients in its backlog (H48).  First what can
 * fail; then the two halves of what cannot, between which the units change (reload.h).  Refuses to
 * close anything before that. */
#ifndef RUN_EXCHANGE_H
#define RUN_EXCHANGE_H

#include "daemon/config/complain.h"
#include "daemon/model/diff.h"
#include "daemon/run/state.h"

struct wanted;

struct exchange {
	bool patient;          /* set before: what cannot be opened comes later */
	struct wanted *wanted; /* owned; in the order of the configuration */
	struct listener **had; /* owned; all there are now */
	struct diff_item *old, *new;
	size_t had_count, wanted_count, opened;
};

/* Pairs what there is with what a configuration wants, and opens what is new.  `units` are those of
 * its services, by number.  False: there are complaints. */
bool exchange_prepare(struct exchange *x, struct daemon *d, const struct config *config,
	struct unit *const *units, struct complaints *complaints);

/* Closes what was opened. */
void exchange_abandon(struct exchange *x);

/* Takes all from their units, and closes those that nobody wants; then gives each to its own. */
void exchange_take(struct exchange *x);
void exchange_give(struct exchange *x);

void exchange_fini(struct exchange *x);

#endif
