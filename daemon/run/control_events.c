#include "daemon/run/control_events.h"

#include "daemon/base/mem.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define UNREAD_MAX (1 << 20) /* bytes that a follower has not read; then it misses events */

void events_caught_up(struct follower *f)
{
	if (!f->missed)
		return;
	evbuffer_add_printf(bufferevent_get_output(f->io),
		"{\"event\":\"missed\",\"lines\":%" PRIu64 "}\n", f->missed);
	f->missed = 0;
}

static void tell(struct follower *f, enum log_level level, const char *line, size_t len)
{
	if (level > f->level)
		return;
	if (evbuffer_get_length(bufferevent_get_output(f->io)) > UNREAD_MAX) {
		f->missed++;
		return;
	}
	events_caught_up(f);
	bufferevent_write(f->io, line, len);
}

static void remember(struct events *e, enum log_level level, const char *line, size_t len)
{
	size_t at = e->told++ % EVENTS_HISTORY;

	free(e->history[at]);
	e->history[at] = mem_new(len + 1);
	memcpy(e->history[at], line, len);
	e->levels[at] = level;
}

static void on_event(void *context, enum log_level level, const char *line, size_t len)
{
	struct events *e = context;
	struct follower *f;

	if (level <= LOG_NOTICE)
		remember(e, level, line, len);
	TAILQ_FOREACH (f, &e->followers, all)
		tell(f, level, line, len);
}

/* Listens for what somebody wants to hear. */
static void set_tap(struct events *e)
{
	struct log_tap tap = { LOG_NOTICE, e->wanted ? on_event : NULL, e };
	const struct follower *f;

	TAILQ_FOREACH (f, &e->followers, all)
		if (f->level > tap.level)
			tap.level = f->level;
	log_set_tap(&tap);
}

void events_want(struct events *e, bool wanted)
{
	if (wanted == e->wanted)
		return;
	e->wanted = wanted;
	set_tap(e);
}

void events_tell(const struct events *e, struct bufferevent *io, enum log_level level, size_t count)
{
	uint64_t i = e->told > EVENTS_HISTORY ? e->told - EVENTS_HISTORY : 0;

	if (e->told - i > count)
		i = e->told - count;
	for (; i < e->told; i++) {
		const char *line = e->history[i % EVENTS_HISTORY];

		if (e->levels[i % EVENTS_HISTORY] <= level)
			bufferevent_write(io, line, strlen(line));
	}
}

void events_follow(struct events *e, struct follower *f, enum log_level level)
{
	if (!f->follows)
		TAILQ_INSERT_TAIL(&e->followers, f, all);
	f->follows = true;
	f->level = level;
	set_tap(e);
}

void events_leave(struct events *e, struct follower *f)
{
	if (!f->follows)
		return;
	TAILQ_REMOVE(&e->followers, f, all);
	f->follows = false;
	set_tap(e);
}

void events_init(struct events *e)
{
	TAILQ_INIT(&e->followers);
}

void events_fini(struct events *e)
{
	events_want(e, false);
	for (size_t i = 0; i < EVENTS_HISTORY; i++)
		free(e->history[i]);
}
