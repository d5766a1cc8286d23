#include "handlers/status/page.h"

#include <stdbool.h>
#include <string.h>

extern const char page_html[], page_html_end[];

__asm__(".section .rodata\n"
	"page_html: .incbin \"handlers/status/page.html\"\n"
	"page_html_end: .byte 0\n"
	".previous\n");

struct filling {
	struct evbuffer *out;
	const json_t *list;
	const char *nonce;
};

/* ---------------------------------------------------------------- rows */

static void put_escaped(struct evbuffer *out, const char *text)
{
	while (text && *text) {
		size_t plain = strcspn(text, "&<>\"'");

		evbuffer_add(out, text, plain);
		text += plain;
		if (*text)
			evbuffer_add_printf(out, "&#%d;", *text++);
	}
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void put_number(struct evbuffer *out, const char *label, json_int_t n)
{
	evbuffer_add_printf(out,
		"<td role=cell class=num data-label=\"%s\">%" JSON_INTEGER_FORMAT "</td>", label,
		n);
}

static json_int_t refused(const json_t *service)
{
	json_t *n, *by_reason = json_object_get(service, "refused");
	json_int_t sum = 0;
	const char *reason;

	json_object_foreach (by_reason, reason, n)
		sum += json_integer_value(n);
	return sum;
}

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void put_row(struct evbuffer *out, const json_t *service)
{
	const char *state = text_of(service, "state");

	evbuffer_add_printf(out, "<tr role=row><th role=rowheader scope=row><span class=name>");
	put_escaped(out, text_of(service, "name"));
	evbuffer_add_printf(out, "</span><span class=sub>");
	put_escaped(out, text_of(service, "description"));
	evbuffer_add_printf(out, "</span></th><td role=cell data-label=State>");
	put_escaped(out, state);
	evbuffer_add_printf(out, "</td>");
	put_number(out, "Live", number(service, "live"));
	put_number(out, "Accepted", number(service, "accepted"));
	put_number(out, "Waiting", number(service, "waiting"));
	put_number(out, "Refused", refused(service));
	evbuffer_add_printf(out, "</tr>\n");
}

/* ---------------------------------------------------------------- marks */

static void put_nonce(const struct filling *f)
{
	evbuffer_add(f->out, f->nonce, strlen(f->nonce));
}

static void put_state(const struct filling *f)
{
	put_escaped(f->out, f->list ? text_of(json_object_get(f->list, "daemon"), "state")
				    : "superd does not answer");
}

static void put_rows(const struct filling *f)
{
	const json_t *each;
	size_t i;

	json_array_foreach (json_object_get(f->list, "services"), i, each)
		put_row(f->out, each);
}

static const struct mark {
	const char *name;
	void (*put)(const struct filling *f);
} marks[] = {
	{ "@NONCE@", put_nonce },
	{ "@STATE@", put_state },
	{ "@ROWS@", put_rows },
};

/* Which mark begins there; NULL: none does. */
static const struct mark *find_mark(const char *at)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (strncmp(at, marks[i].name, strlen(marks[i].name)) == 0)
			return &marks[i];
	return NULL;
}

void page_write(struct evbuffer *out, const json_t *list, const char *nonce)
{
	const struct filling f = { out, list, nonce };
	const char *done = page_html;

	for (const char *at = done; (at = strchr(at, '@'));) {
		const struct mark *m = find_mark(at);

		if (!m) {
			at++;
			continue;
		}
		evbuffer_add(out, done, (size_t)(at - done));
		m->put(&f);
		done = at += strlen(m->name);
	}
	evbuffer_add(out, done, (size_t)(page_html_end - done));
}
