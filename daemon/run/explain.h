/* Why is somebody refused, or would be?  Asks what admit() asks, in its order, without taking a
 * token or making a record. */
#ifndef RUN_EXPLAIN_H
#define RUN_EXPLAIN_H

#include "daemon/run/state.h"

struct explanation {
	enum reason reason; /* ADMITTED: none */
	bool has_rule;
	struct acl_prefix rule; /* of a list, or what is banned */
	bool waits;             /* it would be admitted when there is a place */
	uint64_t again_ms;      /* until it would not be refused for this; 0: not known */
	uint32_t live, refused; /* of its source in this service */
};

struct explanation explain(struct unit *u, const struct acl_key *key);

#endif
