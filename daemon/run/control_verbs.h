/* What can be asked of superd: one row a verb.
 *
 * Two tables, each beside the functions in it: of those who look (control_look.c), and of those who
 * change something (control_change.c), which stands in the log and which observers may not. */
#ifndef RUN_CONTROL_VERBS_H
#define RUN_CONTROL_VERBS_H

#include "daemon/run/control_request.h"

struct verb {
	const char *name;
	void (*run)(const struct request *r);
};

/* The end of each is a verb without a name. */
extern const struct verb verbs_look[], verbs_change[];

/* Does what the object asks, and answers now or, for what takes its time, later. */
void control_do(struct client *k, const json_t *request);

#endif
