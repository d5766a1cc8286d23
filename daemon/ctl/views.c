#include "daemon/ctl/views.h"

#include "daemon/ctl/proc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
	const char *value = json_string_value(json_object_get(o, key));

	return value ? value : "";
}

char *view_span(uint64_t ms, char out[24])
{
	uint64_t s = ms / 1000;

	if (ms < 1000)
		snprintf(out, 24, "%" PRIu64 "ms", ms);
	else if (s < 10)
		snprintf(out, 24, "%" PRIu64 ".%" PRIu64 "s", s, ms % 1000 / 100);
	else if (s < 120)
		snprintf(out, 24, "%" PRIu64 "s", s);
	else if (s < 7200)
		snprintf(out, 24, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else if (s < 172800)
		snprintf(out, 24, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(out, 24, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
	return out;
}

uint64_t view_refused(const json_t *service)
{
	json_t *refused = json_object_get(service, "refused"), *count;
	uint64_t sum = 0;
	const char *reason;

	json_object_foreach (refused, reason, count)
		sum += (uint64_t)json_integer_value(count);
	return sum;
}

/* ---- list */

static void put_limit(struct table *t, uint64_t n)
{
	if (n)
		table_cell(t, "%" PRIu64, n);
	else
		table_cell(t, "-");
}

static void put_addresses(struct table *t, const json_t *service)
{
	const json_t *list = json_object_get(service, "listen");
	uint64_t count = number(service, "listeners");
	const json_t *first = json_array_get(list, 0);

	if (!first)
		table_cell(t, "-");
	else if (count == 1)
		table_cell(t, "%s%s", text(first, "addr"),
			json_is_true(json_object_get(first, "open")) ? "" : " (not open)");
	else
		table_cell(t, "%s and %" PRIu64 " more", text(first, "addr"), count - 1);
}

static const char *state_of(const json_t *service)
{
	const char *state = text(service, "state");

	return strcmp(state, "open") == 0 && json_is_true(json_object_get(service, "full")) ? "full"
											    : state;
}

void view_list(const json_t *answer, struct table *t)
{
	const json_t *list = json_object_get(answer, "services"), *s;
	size_t i;

	table_init(t, "SERVICE STATE >LIVE >MAX >WAIT >ACCEPTED >REFUSED LISTEN");
	json_array_foreach (list, i, s) {
		table_row(t);
		table_cell(t, "%s", text(s, "name"));
		table_cell(t, "%s", state_of(s));
		table_cell(t, "%" PRIu64, number(s, "live"));
		put_limit(t, number(s, "max_connections"));
		table_cell(t, "%" PRIu64, number(s, "waiting"));
		table_cell(t, "%" PRIu64, number(s, "accepted"));
		table_cell(t, "%" PRIu64, view_refused(s));
		put_addresses(t, s);
	}
}

/* ---- ps */

static void put_process(struct table *t, pid_t pid)
{
	struct proc p;

	if (!pid || !proc_read(pid, &p)) {
		for (int i = 0; i < 4; i++)
			table_cell(t, "-");
		return;
	}
	table_cell(t, "%c", p.state);
	table_cell(t, "%" PRIu64 ".%02" PRIu64, p.cpu_ms / 1000, p.cpu_ms % 1000 / 10);
	table_cell(t, "%" PRIu64, p.memory_kb);
	table_cell(t, "%s", p.name);
}

void view_ps(const json_t *answer, struct table *t)
{
	const json_t *list = json_object_get(answer, "connections"), *c;
	char span[24];
	size_t i;

	table_init(t, "CONN SERVICE PEER STATE >AGE >PID S >CPU >KB PROGRAM");
	t->right[0] = true;
	json_array_foreach (list, i, c) {
		pid_t pid = (pid_t)number(c, "pid");

		table_row(t);
		table_cell(t, "%" PRIu64, number(c, "conn"));
		table_cell(t, "%s", text(c, "service"));
		table_cell(t, "%s", *text(c, "peer") ? text(c, "peer") : "-");
		table_cell(t, "%s", text(c, "state"));
		table_cell(t, "%s", view_span(number(c, "age_ms"), span));
		put_limit(t, (uint64_t)pid);
		put_process(t, pid);
	}
}

/* ---- the others */

void view_bans(const json_t *answer, struct table *t)
{
	const json_t *list = json_object_get(answer, "bans"), *b;
	char span[24];
	size_t i;

	table_init(t, "SOURCE >LEFT");
	json_array_foreach (list, i, b) {
		table_row(t);
		table_cell(t, "%s", text(b, "source"));
		table_cell(t, "%s", view_span(number(b, "left_ms"), span));
	}
}

static void put_verdict(struct table *t, const json_t *s)
{
	const char *state = text(s, "state");

	if (strcmp(state, "open") != 0)
		table_cell(t, "%s", state);
	else if (json_is_true(json_object_get(s, "waits")))
		table_cell(t, "waits for a place");
	else
		table_cell(
			t, json_is_true(json_object_get(s, "admitted")) ? "admitted" : "refused");
}

void view_explain(const json_t *answer, struct table *t)
{
	const json_t *list = json_object_get(answer, "services"), *s;
	char span[24];
	size_t i;

	table_init(t, "SERVICE VERDICT REASON RULE >AGAIN-IN >LIVE");
	json_array_foreach (list, i, s) {
		table_row(t);
		table_cell(t, "%s", text(s, "service"));
		put_verdict(t, s);
		table_cell(t, "%s", *text(s, "reason") ? text(s, "reason") : "-");
		table_cell(t, "%s", *text(s, "rule") ? text(s, "rule") : "-");
		if (number(s, "again_ms"))
			table_cell(t, "%s", view_span(number(s, "again_ms"), span));
		else
			table_cell(t, "-");
		table_cell(t, "%" PRIu64, number(s, "live"));
	}
}

static void put_pair(struct table *t, const char *key, const json_t *value)
{
	char *dumped = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);

	table_row(t);
	table_cell(t, "%s", key);
	table_cell(t, "%s", dumped ? dumped : json_string_value(value));
	free(dumped);
}

/* The bound below which so many of them are. */
static void format_bound(const json_t *in, const json_t *bounds, double count, char out[32])
{
	double sum = 0;
	char span[24];

	for (size_t i = 0; i < json_array_size(bounds); i++) {
		uint64_t us = (uint64_t)json_integer_value(json_array_get(bounds, i));

		sum += (double)json_integer_value(json_array_get(in, i));
		if (sum < count)
			continue;
		if (us < 1000)
			snprintf(out, 32, "%.2fms", (double)us / 1000);
		else
			snprintf(out, 32, "%s", view_span(us / 1000, span));
		return;
	}
	snprintf(out, 32, "more");
}

static void put_histogram(
	struct table *t, const char *key, const json_t *histogram, const json_t *bounds)
{
	const json_t *in = json_object_get(histogram, "in"), *each;
	char half[32], most[32];
	uint64_t count = 0;
	size_t i;

	json_array_foreach (in, i, each)
		count += (uint64_t)json_integer_value(each);
	format_bound(in, bounds, (double)count * 0.5, half);
	format_bound(in, bounds, (double)count * 0.99, most);
	table_row(t);
	table_cell(t, "%s", key);
	if (count)
		table_cell(t, "%" PRIu64 ", mean %.3fms, half within %s, 99%% within %s", count,
			(double)number(histogram, "sum_us") / 1000 / (double)count, half, most);
	else
		table_cell(t, "none");
}

static void put_pairs(struct table *t, const json_t *o, const json_t *bounds)
{
	const char *key;
	json_t *value;

	table_init(t, "KEY VALUE");
	json_object_foreach ((json_t *)o, key, value)
		if (json_object_get(value, "sum_us"))
			put_histogram(t, key, value, bounds);
		else if (strcmp(key, "ok") != 0)
			put_pair(t, key, value);
}

void view_show(const json_t *answer, struct table *t)
{
	put_pairs(t, json_object_get(answer, "service"), json_object_get(answer, "bounds_us"));
}

void view_version(const json_t *answer, struct table *t)
{
	put_pairs(t, answer, NULL);
}

void view_event(const json_t *event, FILE *out)
{
	const char *key;
	json_t *value;

	fprintf(out, "%s %s", text(event, "time"), text(event, "event"));
	json_object_foreach ((json_t *)event, key, value) {
		char *dumped;

		if (strcmp(key, "time") == 0 || strcmp(key, "event") == 0 ||
			strcmp(key, "level") == 0)
			continue;
		dumped = json_dumps(
			value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
		fprintf(out, " %s=%s", key, dumped ? dumped : "?");
		free(dumped);
	}
	fputc('\n', out);
	fflush(out);
}
