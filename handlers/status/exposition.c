#include "handlers/status/exposition.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum type { GAUGE, COUNTER, HISTOGRAM, INFO };

static const char *const type_names[] = { "gauge", "counter", "histogram", "info" };

struct family;

struct writer {
	struct evbuffer *out;
	const json_t *list;
	const struct family *family;
	bool open;
};

struct family {
	const char *name, *unit; /* unit NULL: none */
	enum type type;
	const char *help;
	/* Writes the samples of superd itself, or of one service. */
	void (*all)(struct writer *w, const json_t *daemon);
	void (*each)(struct writer *w, const json_t *service);
	const char *key; /* of the member that they write */
};

/* ---------------------------------------------------------------- samples */

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
	const char *value = json_string_value(json_object_get(o, key));

	return value ? value : "";
}

/* Both forms have the same three escapes. */
static void put_label(struct writer *w, const char *sep, const char *name, const char *value)
{
	evbuffer_add_printf(w->out, "%s%s=\"", sep, name);
	while (*value) {
		size_t plain = strcspn(value, "\n\\\"");

		evbuffer_add(w->out, value, plain);
		value += plain;
		if (*value)
			evbuffer_add_printf(w->out, "\\%c", *value == '\n' ? 'n' : *value);
		value += *value != '\0';
	}
	evbuffer_add(w->out, "\"", 1);
}

/* The name and the labels that are there: `service` and `value` may be NULL. */
static void begin(struct writer *w, const char *suffix, const json_t *service, const char *label,
	const char *value)
{
	evbuffer_add_printf(w->out, "%s%s", w->family->name, suffix);
	if (service)
		put_label(w, "{", "service", text(service, "name"));
	if (value)
		put_label(w, service ? "," : "{", label, value);
	evbuffer_add_printf(w->out, service || value ? "} " : " ");
}

static void put_number(struct writer *w, json_int_t n)
{
	evbuffer_add_printf(w->out, "%" JSON_INTEGER_FORMAT "\n", n);
}

/* Microseconds as seconds: "0.0025", "1.0". */
static const char *seconds(json_int_t us, char buf[32])
{
	int n = snprintf(buf, 32, "%" PRId64 ".%06d", (int64_t)us / 1000000, (int)(us % 1000000));

	while (buf[n - 1] == '0' && buf[n - 2] != '.')
		buf[--n] = '\0';
	return buf;
}

static const char *suffix_of(const struct writer *w)
{
	return w->family->type == COUNTER ? "_total" : "";
}

/* ---------------------------------------------------------------- of superd */

static void put_member(struct writer *w, const json_t *daemon)
{
	begin(w, suffix_of(w), NULL, NULL, NULL);
	put_number(w, number(daemon, w->family->key));
}

static void put_info(struct writer *w, const json_t *daemon)
{
	begin(w, "_info", NULL, "version", text(daemon, "version"));
	put_number(w, 1);
}

static void put_serving(struct writer *w, const json_t *daemon)
{
	begin(w, "", NULL, NULL, NULL);
	put_number(w, strcmp(text(daemon, "state"), "serving") == 0);
}

static void put_uptime(struct writer *w, const json_t *daemon)
{
	char buf[32];

	begin(w, "", NULL, NULL, NULL);
	evbuffer_add_printf(w->out, "%s\n", seconds(number(daemon, w->family->key) * 1000, buf));
}

/* ---------------------------------------------------------------- of a service */

static void put_count(struct writer *w, const json_t *service)
{
	begin(w, suffix_of(w), service, NULL, NULL);
	put_number(w, number(service, w->family->key));
}

static void put_state(struct writer *w, const json_t *service)
{
	static const char *const states[] = { "open", "paused", "closed", "removed" };

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		begin(w, "", service, "state", states[i]);
		put_number(w, strcmp(text(service, "state"), states[i]) == 0);
	}
}

/* Those that have not happened are written as 0: a rate begins at the first one, not after it. */
static void put_refused(struct writer *w, const json_t *service)
{
	static const char *const usual[] = { "ban", "trap", "deny", "proxy", "max_connections",
		"max_per_source", "rate_per_source", "rate", "gone", "stop" };
	json_t *refused = json_object_get(service, w->family->key), *n;
	json_t *all = json_object();
	const char *reason;

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		json_object_set_new(all, usual[i], json_integer(0));
	json_object_update(all, refused);
	json_object_foreach (all, reason, n) {
		begin(w, "_total", service, "reason", reason);
		put_number(w, json_integer_value(n));
	}
	json_decref(all);
}

static void put_cpu(struct writer *w, const json_t *service)
{
	char buf[32];

	begin(w, "_total", service, NULL, NULL);
	evbuffer_add_printf(w->out, "%s\n", seconds(number(service, w->family->key), buf));
}

static void put_memory(struct writer *w, const json_t *service)
{
	begin(w, "", service, NULL, NULL);
	put_number(w, number(service, w->family->key) * 1024);
}

/* A process exits with a number, or is killed by a signal, which has a name. */
static void format_status(const json_t *ending, char status[32])
{
	bool killed = json_object_get(ending, "signal") != NULL;
	int code = (int)number(ending, killed ? "signal" : "exit");
	const char *name = killed ? sigabbrev_np(code) : NULL;

	if (name)
		snprintf(status, 32, "SIG%s", name);
	else
		snprintf(status, 32, "%s%d", killed ? "signal " : "", code);
}

static void put_endings(struct writer *w, const json_t *service)
{
	const json_t *each;
	char status[32];
	size_t i;

	json_array_foreach (json_object_get(service, w->family->key), i, each) {
		format_status(each, status);
		begin(w, "_total", service, "status", status);
		put_number(w, number(each, "count"));
	}
}

static void put_histogram(struct writer *w, const json_t *service)
{
	const json_t *h = json_object_get(service, w->family->key), *bound;
	const json_t *in = json_object_get(h, "in");
	json_int_t sum = 0;
	char buf[32];
	size_t i;

	json_array_foreach (json_object_get(w->list, "bounds_us"), i, bound) {
		sum += json_integer_value(json_array_get(in, i));
		begin(w, "_bucket", service, "le", seconds(json_integer_value(bound), buf));
		put_number(w, sum);
	}
	sum += json_integer_value(json_array_get(in, i));
	begin(w, "_bucket", service, "le", "+Inf");
	put_number(w, sum);
	begin(w, "_sum", service, NULL, NULL);
	evbuffer_add_printf(w->out, "%s\n", seconds(number(h, "sum_us"), buf));
	begin(w, "_count", service, NULL, NULL);
	put_number(w, sum);
}

/* ---------------------------------------------------------------- all */

static const struct family families[] = {
	{ "superd", NULL, INFO, "The superd that answers.", put_info, NULL, NULL },
	{ "superd_serving", NULL, GAUGE, "1, or 0 while superd stops.", put_serving, NULL, NULL },
	{ "superd_uptime_seconds", "seconds", GAUGE, "How long it has been running.", put_uptime,
		NULL, "uptime_ms" },
	{ "superd_generation", NULL, GAUGE, "Configurations that have been in force.", put_member,
		NULL, "generation" },
	{ "superd_services", NULL, GAUGE, "Services that are configured.", put_member, NULL,
		"services" },
	{ "superd_listeners", NULL, GAUGE, "Addresses that are open.", put_member, NULL,
		"listeners" },
	{ "superd_live", NULL, GAUGE, "Live handlers of all services.", put_member, NULL, "live" },
	{ "superd_queued", NULL, GAUGE, "Connections that wait for a handler.", put_member, NULL,
		"waiting" },
	{ "superd_max_connections", NULL, GAUGE, "Limit on live handlers; 0 is none.", put_member,
		NULL, "max_connections" },
	{ "superd_log_dropped", NULL, COUNTER, "Log lines that no sink took in time.", put_member,
		NULL, "log_dropped" },

	{ "superd_service_state", NULL, GAUGE, "1 for the state that a service is in.", NULL,
		put_state, NULL },
	{ "superd_service_arrived", NULL, COUNTER, "Connections that came.", NULL, put_count,
		"arrived" },
	{ "superd_service_accepted", NULL, COUNTER, "Connections that got a handler.", NULL,
		put_count, "accepted" },
	{ "superd_service_refused", NULL, COUNTER, "Connections that got none, by reason.", NULL,
		put_refused, "refused" },
	{ "superd_service_refused_late", NULL, COUNTER,
		"Of the accepted ones: those whose client, declared by a proxy, was not admitted.",
		NULL, put_count, "refused_late" },
	{ "superd_service_closed", NULL, COUNTER, "Accepted connections that have ended.", NULL,
		put_count, "closed" },
	{ "superd_service_live", NULL, GAUGE, "Live handlers.", NULL, put_count, "live" },
	{ "superd_service_queued", NULL, GAUGE, "Connections that wait for a handler.", NULL,
		put_count, "waiting" },
	{ "superd_service_lingering", NULL, GAUGE,
		"Connections whose handler has exited, and which superd closes gently.", NULL,
		put_count, "lingering" },
	{ "superd_service_max_connections", NULL, GAUGE, "Limit on live handlers; 0 is none.", NULL,
		put_count, "max_connections" },
	{ "superd_service_listeners", NULL, GAUGE, "Addresses that it has.", NULL, put_count,
		"listeners" },
	{ "superd_service_start_seconds", "seconds", HISTOGRAM,
		"From the arrival of a connection until its handler runs.", NULL, put_histogram,
		"start" },
	{ "superd_service_duration_seconds", "seconds", HISTOGRAM, "Life of a handler.", NULL,
		put_histogram, "life" },
	{ "superd_service_cpu_seconds", "seconds", COUNTER,
		"User and system time of handlers that have ended.", NULL, put_cpu, "cpu_us" },
	{ "superd_service_memory_peak_bytes", "bytes", GAUGE,
		"The most memory that one handler had.", NULL, put_memory, "memory_kb" },
	{ "superd_service_exits", NULL, COUNTER,
		"Handlers that have ended, by exit status or signal.", NULL, put_endings,
		"endings" },
};

/* OpenMetrics announces a counter without its suffix, and has a type for what is only labels. */
static void announce(struct writer *w)
{
	const struct family *f = w->family;
	const char *type = type_names[f->type], *suffix = "";

	if (!w->open && f->type == INFO) {
		suffix = "_info";
		type = "gauge";
	} else if (!w->open) {
		suffix = suffix_of(w);
	}
	evbuffer_add_printf(w->out, "# HELP %s%s %s\n", f->name, suffix, f->help);
	evbuffer_add_printf(w->out, "# TYPE %s%s %s\n", f->name, suffix, type);
	if (w->open && f->unit)
		evbuffer_add_printf(w->out, "# UNIT %s %s\n", f->name, f->unit);
}

void exposition_write(struct evbuffer *out, const json_t *list, bool open)
{
	struct writer w = { .out = out, .list = list, .open = open };
	const json_t *service;
	size_t i;

	for (w.family = families; w.family < families + sizeof(families) / sizeof(families[0]);
		w.family++) {
		announce(&w);
		if (w.family->all)
			w.family->all(&w, json_object_get(list, "daemon"));
		if (!w.family->each)
			continue;
		json_array_foreach (json_object_get(list, "services"), i, service)
			w.family->each(&w, service);
	}
	if (open)
		evbuffer_add_printf(out, "# EOF\n");
}

static bool is_open_element(const char *element, size_t len)
{
	static const char name[] = "application/openmetrics-text";
	size_t type = strcspn(element, ";, ");
	const char *weight = memmem(element, len, "q=", 2);

	return type == sizeof(name) - 1 && strncasecmp(element, name, type) == 0 &&
	       !(weight && strtod(weight + 2, NULL) <= 0);
}

/* Who names it prefers it, whatever the weights of the rest say. */
bool exposition_is_wanted_open(const char *accept)
{
	while (accept && *accept) {
		size_t len;

		accept += strspn(accept, " \t,");
		len = strcspn(accept, ",");
		if (is_open_element(accept, len))
			return true;
		accept += len;
	}
	return false;
}
