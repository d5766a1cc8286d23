/* What the doctor's checks share: a visit, and how a finding is told. */
#ifndef RUN_VISIT_H
#define RUN_VISIT_H

#include "daemon/model/config.h"

#include <stdio.h>

struct visit {
	const struct config *config;
	const char *control;
	FILE *out;
	size_t problems, doubts;
};

/* Each with what can be done about it; `s`: the service that it is about, or NULL. */
void visit_problem(struct visit *v, const struct service *s, const char *remedy, const char *format,
	...) __attribute__((format(printf, 4, 5)));
void visit_doubt(struct visit *v, const struct service *s, const char *remedy, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/* The number in a file of /proc or of a control group; UINT64_MAX: none, or "max". */
uint64_t visit_number_in(const char *path);

/* Is there room for all the connections that max_connections allows, of descriptors and of
 * processes? */
void visit_room(struct visit *v);
void visit_room_of(struct visit *v, const struct service *s);

#endif
