/* The connections of a handover's document, whatever became of each: live, lingering, waiting for a
 * place (handover_restore_waiting, in handover.h), gone but for the last words on stderr.  And the
 * sources that they count for.
 *
 * Those that have started keep what was in force for them (H49).  Refuses to make units: they are
 * there before. */
#ifndef RUN_HANDOVER_CONNS_H
#define RUN_HANDOVER_CONNS_H

#include "daemon/run/state.h"

#include <jansson.h>

/* Those that have started. */
void handover_restore_live(struct daemon *d, const json_t *o);
void handover_restore_lingering(struct daemon *d, const json_t *o);

/* What one of them says on stderr, or did; after it. */
void handover_restore_capture(struct daemon *d, const json_t *o);

#endif
