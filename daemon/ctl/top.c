#include "daemon/ctl/top.h"

#include "daemon/base/clock.h"
#include "daemon/base/mem.h"
#include "daemon/ctl/link.h"
#include "daemon/ctl/views.h"

#include <curses.h>
#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_LINES 3

enum view { SERVICES, CONNECTIONS, BANS, VIEWS };

static const struct {
	const char *title, *verb;
	void (*fill)(const json_t *answer, struct table *t);
} views[VIEWS] = {
	[SERVICES] = { "services", "list", view_list },
	[CONNECTIONS] = { "connections", "ps", view_ps },
	[BANS] = { "bans", "bans", view_bans },
};

struct screen {
	struct link link;
	enum view view;
	size_t scroll;
	uint64_t accepted, refused, then_us; /* at the last look */
	double accepted_s, refused_s;        /* a second, since then */
};

static void send_verb(struct screen *s, const char *verb, json_t **answer)
{
	*answer = link_ask(&s->link, json_pack("{s:s}", "verb", verb));
}

/* ---- the first lines */

static void look_at_rates(struct screen *s, const json_t *services)
{
	uint64_t accepted = 0, refused = 0, now_us = clock_us();
	double span_s = (double)(now_us - s->then_us) / 1e6;
	const json_t *each;
	size_t i;

	json_array_foreach (services, i, each) {
		accepted += (uint64_t)json_integer_value(json_object_get(each, "accepted"));
		refused += view_refused(each);
	}
	/* Less after a removed service is gone. */
	if (s->then_us && span_s > 0 && accepted >= s->accepted && refused >= s->refused) {
		s->accepted_s = (double)(accepted - s->accepted) / span_s;
		s->refused_s = (double)(refused - s->refused) / span_s;
	}
	s->accepted = accepted;
	s->refused = refused;
	s->then_us = now_us;
}

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static void draw_head(struct screen *s, const json_t *list)
{
	const json_t *d = json_object_get(list, "daemon");
	char span[24];

	look_at_rates(s, json_object_get(list, "services"));
	attron(A_BOLD);
	mvprintw(0, 0, "superd %s", json_string_value(json_object_get(d, "version")));
	attroff(A_BOLD);
	printw("  pid %" PRIu64 "  up %s  generation %" PRIu64 "  %s", number(d, "pid"),
		view_span(number(d, "uptime_ms"), span), number(d, "generation"),
		json_string_value(json_object_get(d, "state")));
	mvprintw(1, 0,
		"live %" PRIu64 "  waiting %" PRIu64
		"  accepted %.0f/s  refused %.0f/s  listeners %" PRIu64,
		number(d, "live"), number(d, "waiting"), s->accepted_s, s->refused_s,
		number(d, "listeners"));
}

/* ---- the table */

static size_t room(void)
{
	return LINES > HEAD_LINES + 2 ? (size_t)(LINES - HEAD_LINES - 2) : 1;
}

static void draw_line(int y, const char *text, int attributes)
{
	attron(attributes);
	mvaddnstr(y, 0, text, COLS);
	for (int x = (int)strlen(text); attributes && x < COLS; x++)
		mvaddch(y, x, ' ');
	attroff(attributes);
}

static void draw_row(const struct table *t, size_t row, int y, int attributes)
{
	char *line = table_line(t, row);

	draw_line(y, line, attributes);
	free(line);
}

static void draw_table(struct screen *s, const json_t *answer)
{
	struct table t;
	size_t shown = room();

	views[s->view].fill(answer, &t);
	if (s->scroll + shown > t.rows_count - 1)
		s->scroll = t.rows_count - 1 > shown ? t.rows_count - 1 - shown : 0;
	draw_row(&t, 0, HEAD_LINES, A_REVERSE);
	for (size_t i = 0; i < shown && s->scroll + i + 1 < t.rows_count; i++)
		draw_row(&t, s->scroll + i + 1, HEAD_LINES + 1 + (int)i, 0);
	table_fini(&t);
}

static void draw(struct screen *s)
{
	json_t *list, *answer = NULL;
	char keys[128];

	send_verb(s, "list", &list);
	if (s->view != SERVICES)
		send_verb(s, views[s->view].verb, &answer);
	erase();
	draw_head(s, list);
	draw_table(s, answer ? answer : list);
	snprintf(keys, sizeof keys, " %s   Tab: %s   arrows, PgUp, PgDn: scroll   q: quit",
		views[s->view].title, views[(s->view + 1) % VIEWS].title);
	draw_line(LINES - 1, keys, A_REVERSE);
	refresh();
	json_decref(list);
	json_decref(answer);
}

/* ---- keys */

/* False: enough. */
static bool handle(struct screen *s, int key)
{
	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case '\t':
		s->view = (s->view + 1) % VIEWS;
		s->scroll = 0;
		break;
	case KEY_DOWN:
		s->scroll++;
		break;
	case KEY_UP:
		s->scroll -= s->scroll > 0;
		break;
	case KEY_NPAGE:
		s->scroll += room();
		break;
	case KEY_PPAGE:
		s->scroll -= s->scroll < room() ? s->scroll : room();
		break;
	case KEY_HOME:
		s->scroll = 0;
		break;
	}
	return true;
}

static void leave(void)
{
	endwin();
}

int top(const char *socket, double delay_s)
{
	struct screen s = { .view = SERVICES };
	bool more = true;

	setlocale(LC_ALL, "");
	link_open(&s.link, socket);
	if (!initscr())
		return 111;
	link_before_exit(leave);
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	timeout((int)(delay_s * 1000));
	while (more) {
		draw(&s);
		more = handle(&s, getch());
	}
	leave();
	link_close(&s.link);
	return 0;
}
