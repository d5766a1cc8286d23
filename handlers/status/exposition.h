/*
 * exposition: what superd answers to "list", as metrics for Prometheus.
 *
 * One table, a metric a row; the two forms of the text (OpenMetrics 1.0, and version 0.0.4 that
 * came before it) differ in how a family is announced and in the end, nothing else.
 */
#ifndef HANDLERS_STATUS_EXPOSITION_H
#define HANDLERS_STATUS_EXPOSITION_H

#include <event2/buffer.h>
#include <jansson.h>
#include <stdbool.h>

#define EXPOSITION_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define EXPOSITION_PLAIN "text/plain; version=0.0.4; charset=utf-8"

/* Does this value of Accept (may be NULL) ask for OpenMetrics? */
bool exposition_is_wanted_open(const char *accept);

void exposition_write(struct evbuffer *out, const json_t *list, bool open);

#endif
