/* What can be asked of superd: one row a verb. */
#ifndef RUN_CONTROL_VERBS_H
#define RUN_CONTROL_VERBS_H

#include "daemon/run/control_client.h"

/* Does what the object asks, and answers now or, for what takes its time, later. */
void control_do(struct client *k, json_t *request);

#endif
