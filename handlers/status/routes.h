/*
 * routes: which pages there are, what superd is asked for each, and who answers with it.
 *
 * A request is a path out of a table and, for some, a query with keys that the table names; it
 * refuses everything else.
 */
#ifndef HANDLERS_STATUS_ROUTES_H
#define HANDLERS_STATUS_ROUTES_H

#include "handlers/status/answers.h"

struct route {
	const char *path, *verb; /* what superd is asked */
	answer_fn *answer;
	const char *const *keys; /* of the query, which go into the question; NULL: it is ignored */
};

/* NULL: there is no such page; also for NULL. */
const struct route *route_find(const char *path);

/* A line for superd, owned by the caller; NULL: the query says something else than it may. */
char *route_question(const struct route *route, const char *query);

#endif
