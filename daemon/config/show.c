#include "daemon/config/show.h"

#include "daemon/base/mem.h"
#include "daemon/config/schema.h"
#include "daemon/model/quantity.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM_WIDTH 60  /* a longer command line is cut */
#define ADDRESSES_SHOWN 4 /* more of them are counted */

enum column { SERVICE, LISTEN, PROGRAM, USER, MAX, LIMITS, ADMISSION, COLUMNS };

struct row {
	char *cells[COLUMNS]; /* owned */
};

/* Appends to a heap text, with `separator` before it unless it is the first. */
static void append(char **text, const char *separator, const char *more)
{
	char *longer = mem_print("%s%s%s", *text, **text ? separator : "", more);

	free(*text);
	*text = longer;
}

/* ---- addresses ---- */

static bool follows(const struct addr *a, const struct addr *b, unsigned steps)
{
	if (!addr_is_ip(a) || a->kind != b->kind || a->sa.sa_family != b->sa.sa_family ||
		a->dual != b->dual || !addr_port(a) || addr_port(a) + steps != addr_port(b))
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
}

/* One address, or a run of ports; the host * is what a port alone means. */
static char *run_text(const struct addr *first, unsigned length)
{
	char text[ADDR_TEXT_MAX], *any;

	addr_format(first, text);
	any = first->dual ? strstr(text, "*:") : NULL;
	if (any)
		memmove(any, any + 2, strlen(any + 2) + 1);
	if (length == 1)
		return mem_dup(text);
	return mem_print("%s-%u", text, addr_port(first) + length - 1);
}

static char *listen_cell(const struct service *s)
{
	char *cell = mem_dup("");
	unsigned shown = 0, length;

	for (size_t i = 0; i < s->listen_count; i += length, shown++) {
		char *run;

		for (length = 1; i + length < s->listen_count; length++) {
			if (!follows(&s->listen[i], &s->listen[i + length], length))
				break;
		}
		if (shown == ADDRESSES_SHOWN) {
			free(cell);
			return mem_print("%zu addresses", s->listen_count);
		}
		run = run_text(&s->listen[i], length);
		append(&cell, " ", run);
		free(run);
	}
	return cell;
}

/* ---- program ---- */

/* The word as a shell would want it, on the heap. */
static char *quoted(const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "/._-+=:,@%";
	char *text, *out;

	if (*word && !word[strspn(word, plain)])
		return mem_dup(word);
	text = out = mem_new(4 * strlen(word) + 3);
	*out++ = '\'';
	for (; *word; word++) {
		if (*word == '\'')
			out = stpcpy(out, "'\\''");
		else
			*out++ = *word;
	}
	*out = '\'';
	return text;
}

/* Cuts what is too long, but never the program's own path. */
static void cut(char *cell, size_t least)
{
	size_t n = PROGRAM_WIDTH - 3;

	if (strlen(cell) <= PROGRAM_WIDTH || strlen(cell) <= least + 4)
		return;
	if (n < least + 1)
		n = least + 1;
	while (((unsigned char)cell[n] & 0xc0) == 0x80)
		n--; /* not in the middle of a character */
	memcpy(cell + n, "...", sizeof "...");
}

static char *program_cell(const struct service *s)
{
	char *cell;

	if (!s->program)
		return mem_dup("-"); /* a trap */
	cell = mem_dup(s->program);
	for (size_t i = 1; s->argv[i]; i++) {
		char *word = quoted(s->argv[i]);

		append(&cell, " ", word);
		free(word);
	}
	cut(cell, strlen(s->program));
	return cell;
}

/* ---- the others ---- */

static char *service_cell(const struct service *s)
{
	return mem_print("%s%s", s->name, s->enabled ? "" : " (disabled)");
}

static char *user_cell(const struct service *s)
{
	return mem_dup(s->identity.user ? s->identity.user : "-");
}

static char *max_cell(const struct service *s)
{
	if (s->wait)
		return mem_print("%" PRIu32, s->instances);
	return s->max_connections ? mem_print("%" PRIu32, s->max_connections) : mem_dup("-");
}

static char *limit_text(const struct key *k, rlim_t value)
{
	char text[QUANTITY_TEXT_MAX];

	if (value == RLIM_INFINITY)
		return mem_dup("unlimited");
	if (k->type == KEY_LIMIT_SIZE)
		return mem_dup(quantity_size_text(value, text));
	if (k->type == KEY_LIMIT_TIME && value <= UINT64_MAX / 1000)
		return mem_dup(quantity_duration_text(value * 1000, text));
	return mem_print("%llu", (unsigned long long)value);
}

static char *limits_cell(const struct service *s)
{
	char *cell = mem_dup("");

	for (size_t i = 0; i < s->limits_count; i++) {
		const struct limit *limit = &s->limits[i];
		const struct key *k = schema_rlimits;
		char *soft, *hard, *one;

		while (k->offset != (size_t)limit->resource)
			k++;
		soft = limit_text(k, limit->value.rlim_cur);
		hard = limit_text(k, limit->value.rlim_max);
		one = strcmp(soft, hard) == 0 ? mem_print("%s=%s", k->name, soft)
					      : mem_print("%s=%s:%s", k->name, soft, hard);
		append(&cell, " ", one);
		free(one);
		free(hard);
		free(soft);
	}
	if (!*cell)
		append(&cell, "", "-");
	return cell;
}

/* Appends "WHAT=VALUE" if it was set. */
static void append_count(char **cell, const char *what, uint64_t value)
{
	char *one = mem_print("%s=%" PRIu64, what, value);

	if (value)
		append(cell, " ", one);
	free(one);
}

static void append_rate(char **cell, const char *what, const struct rate *r)
{
	char text[QUANTITY_TEXT_MAX];
	char *one = mem_print("%s=%s", what, quantity_rate_text(r, text));

	if (r->interval_us)
		append(cell, " ", one);
	free(one);
}

static void append_duration(char **cell, const char *what, uint64_t ms)
{
	char text[QUANTITY_TEXT_MAX];
	char *one = mem_print("%s=%s", what, quantity_duration_text(ms, text));

	if (ms)
		append(cell, " ", one);
	free(one);
}

/* What is not as it is by default; of the lists, how many rules they hold. */
static char *admission_cell(const struct service *s)
{
	char *cell = mem_dup("");

	if (s->wait || s->datagrams)
		append(&cell, " ", s->wait ? "wait" : "nowait");
	append_duration(&cell, "idle_exit", s->idle_exit_ms);
	if (s->socket.device) {
		char *device = mem_print("device=%s", s->socket.device);

		append(&cell, " ", device);
		free(device);
	}
	if (s->access.acl)
		append_count(&cell, "rules", acl_count(s->access.acl));
	if (s->access.allow_only)
		append(&cell, " ", "else=deny");
	if (s->proxies)
		append_count(&cell, "proxies", acl_count(s->proxies));
	if (s->reject_when_full)
		append(&cell, " ", "reject");
	append_count(&cell, "per_source", s->max_per_source);
	append_rate(&cell, "rate", &s->rate);
	append_rate(&cell, "rate_per_source", &s->rate_per_source);
	append_duration(&cell, "ban", s->ban.after ? s->ban.for_ms : 0);
	append_duration(&cell, "trap", s->trap_ms);
	append_duration(&cell, "timeout", s->timeout_ms);
	append_duration(&cell, "idle", s->idle_timeout_ms);
	if (!*cell)
		append(&cell, "", "-");
	return cell;
}

static const struct {
	const char *title;
	char *(*cell)(const struct service *);
} columns[COLUMNS] = {
	[SERVICE] = { "SERVICE", service_cell },
	[LISTEN] = { "LISTEN", listen_cell },
	[PROGRAM] = { "PROGRAM", program_cell },
	[USER] = { "USER", user_cell },
	[MAX] = { "MAX", max_cell },
	[LIMITS] = { "LIMITS", limits_cell },
	[ADMISSION] = { "ADMISSION", admission_cell },
};

/* ---- the table ---- */

/* In characters: paths may hold more than ASCII. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void print_row(const struct row *r, const size_t *widths, FILE *out)
{
	for (int i = 0; i < COLUMNS; i++) {
		/* Control characters in a path are none of the terminal's business. */
		for (const char *p = r->cells[i]; *p; p++)
			fputc((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p, out);
		if (i + 1 < COLUMNS)
			fprintf(out, "%*s", (int)(widths[i] - width_of(r->cells[i]) + 2), "");
	}
	fputc('\n', out);
}

/* What the table looks as if it were certain of. */
static void tell_unknown(const struct service *s, FILE *out)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < s->listen_count; i++)
		if (s->listen[i].kind == ADDR_FD)
			fprintf(out,
				"Not checked, because it is handed over at the start: service "
				"'%s': listen: %s\n",
				s->name, addr_format(&s->listen[i], text));
}

void show_config(const struct config *c, FILE *out)
{
	size_t n = c->services_count + 1, widths[COLUMNS] = { 0 };
	struct row *rows = mem_array(n, sizeof *rows);

	for (size_t i = 0; i < n; i++) {
		for (int j = 0; j < COLUMNS; j++) {
			char **cell = &rows[i].cells[j];
			size_t width;

			*cell = i ? columns[j].cell(&c->services[i - 1])
				  : mem_dup(columns[j].title);
			width = width_of(*cell);
			if (width > widths[j])
				widths[j] = width;
		}
	}
	for (size_t i = 0; i < n; i++) {
		print_row(&rows[i], widths, out);
		for (int j = 0; j < COLUMNS; j++)
			free(rows[i].cells[j]);
	}
	free(rows);
	for (size_t i = 0; i < c->services_count; i++)
		tell_unknown(&c->services[i], out);
}
