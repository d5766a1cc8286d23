/* superd's answers as tables. */
#ifndef CTL_VIEWS_H
#define CTL_VIEWS_H

#include "daemon/ctl/table.h"

#include <jansson.h>
#include <stdint.h>

/* Each fills a table that is not initialised from the answer to the verb of its name. */
void view_list(const json_t *answer, struct table *t);
void view_ps(const json_t *answer, struct table *t);
void view_bans(const json_t *answer, struct table *t);
void view_explain(const json_t *answer, struct table *t);

/* All that is known of a service, a key and a value in each row. */
void view_show(const json_t *answer, struct table *t);
void view_version(const json_t *answer, struct table *t);

/* One event of the log as a line: time, verb, key=value. */
void view_event(const json_t *event, FILE *out);

/* A span of time for people: "3.4s", "12m", "5h03m", "2d4h".  Returns `out`. */
char *view_span(uint64_t ms, char out[24]);

/* How many were refused, for all reasons. */
uint64_t view_refused(const json_t *service);

#endif
