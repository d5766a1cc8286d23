/* What children tell through the shared pipe: the step that failed, and in the tour every step. */
#ifndef RUN_REPORTS_H
#define RUN_REPORTS_H

#include "daemon/run/state.h"

/* Begins to watch the pipe. */
void reports_watch(struct daemon *d);

/* Reads what there is.  A child's report is there before its exit can be seen. */
void reports_read(struct daemon *d);

/* Logs why this handler could not be started, if it reported that. */
void reports_tell_failure(struct daemon *d, const struct conn *c);

/* This child has been reaped: what it reported is of no interest any more. */
void reports_forget(struct daemon *d, const struct conn *c);

void reports_free(struct daemon *d);

#endif
