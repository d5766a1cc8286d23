#include "handlers/status/observe.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "handlers/common/io.h"
#include "handlers/status/question.h"

enum {
	ANSWER_MAX = 16 << 20, /* what superd keeps for a client that does not read */
	ASKED_MAX = 64,        /* different questions at a time */
};

struct observe {
	struct event_base *base;
	struct sockaddr_un address;
	struct bufferevent *io; /* owned; NULL: not connected */
	struct event *deadline; /* owned */
	struct questions asked; /* in the order of their answers */
	struct questions known;
	size_t asked_count, scanned;
	bool proven;    /* something was answered on this connection */
	bool in_events; /* of the first question */
	bool told;      /* the log knows that superd does not answer */
};

/* ---------------------------------------------------------------- the connection */

static void arm(struct observe *o)
{
	static const struct timeval t = { OBSERVE_DEADLINE_MS / 1000,
		OBSERVE_DEADLINE_MS % 1000 * 1000 };

	if (o->asked_count)
		event_add(o->deadline, &t);
	else
		event_del(o->deadline);
}

static void disconnect(struct observe *o)
{
	if (o->io)
		bufferevent_free(o->io);
	o->io = NULL;
	o->scanned = 0;
	o->in_events = o->proven = false;
}

static void fail(struct observe *o, const char *why)
{
	struct questions failed = TAILQ_HEAD_INITIALIZER(failed);
	struct question *q;

	if (!o->told)
		fprintf(stderr, "status: %s: %s\n", o->address.sun_path, why);
	o->told = true;
	disconnect(o);
	TAILQ_CONCAT(&failed, &o->asked, next);
	o->asked_count = 0;
	arm(o);
	while ((q = TAILQ_FIRST(&failed))) {
		TAILQ_REMOVE(&failed, q, next);
		question_tell(q, why);
		question_free(q);
	}
}

/* The first question has its answer. */
static void answered(struct observe *o)
{
	struct question *q = TAILQ_FIRST(&o->asked);

	TAILQ_REMOVE(&o->asked, q, next);
	o->asked_count--;
	o->proven = true;
	o->in_events = false;
	if (o->told)
		fprintf(stderr, "status: %s: superd answers again\n", o->address.sun_path);
	o->told = false;
	arm(o);
	q->answered_ms = io_now_ms();
	TAILQ_INSERT_TAIL(&o->known, q, next);
	question_tell(q, NULL);
}

static bool is_log(const struct question *q)
{
	return strstr(q->line, "\"verb\":\"log\"");
}

static void take_event(struct observe *o, struct question *q, const char *line, size_t len)
{
	static const char end[] = "{\"event\":\"end\"}";

	if (len == sizeof(end) - 1 && memcmp(line, end, len) == 0) {
		evbuffer_add(q->answer, "]}", 2);
		answered(o);
		return;
	}
	if (q->events++)
		evbuffer_add(q->answer, ",", 1);
	evbuffer_add(q->answer, line, len);
}

/* False: nobody had asked. */
static bool take_line(struct observe *o, const char *line, size_t len)
{
	static const char good[] = "{\"ok\":true}";
	struct question *q = TAILQ_FIRST(&o->asked);

	if (!q)
		return false;
	if (o->in_events) {
		take_event(o, q, line, len);
	} else if (is_log(q) && len == sizeof(good) - 1 && memcmp(line, good, len) == 0) {
		o->in_events = true;
		evbuffer_add(q->answer, "{\"ok\":true,\"events\":[", 21);
	} else {
		evbuffer_add(q->answer, line, len);
		answered(o);
	}
	return true;
}

/* The length of the next line, or -1; what was looked at before is not looked at again. */
static ssize_t next_line(struct observe *o, struct evbuffer *in)
{
	struct evbuffer_ptr from, at;

	if (evbuffer_ptr_set(in, &from, o->scanned, EVBUFFER_PTR_SET) < 0)
		return -1;
	at = evbuffer_search(in, "\n", 1, &from);
	o->scanned = at.pos < 0 ? evbuffer_get_length(in) : 0;
	return at.pos;
}

static void on_read(struct bufferevent *io, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(io);
	struct observe *o = arg;
	ssize_t len;

	while ((len = next_line(o, in)) >= 0) {
		const char *line = (const char *)evbuffer_pullup(in, len + 1);
		bool asked = line && take_line(o, line, (size_t)len);

		/* An answer may have been the occasion to ask again, but not to disconnect. */
		evbuffer_drain(in, (size_t)len + 1);
		if (!asked) {
			fail(o, "this is not superd's protocol");
			return;
		}
	}
	if (evbuffer_get_length(in) > ANSWER_MAX)
		fail(o, "the answer is too long");
}

static bool reconnect(struct observe *o);

/* superd was upgraded or restarted while nothing was going on: ask once more. */
static void on_end(struct bufferevent *io, short what, void *arg)
{
	struct observe *o = arg;
	bool again = o->proven && o->asked_count;

	(void)io;
	(void)what;
	if (!again && o->asked_count) {
		fail(o, "superd closed the connection");
		return;
	}
	disconnect(o);
	if (again && !reconnect(o))
		fail(o, strerror(errno));
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	fail(arg, "superd does not answer in time");
}

/* On a unix socket this is done at once. */
static bool open_connection(struct observe *o)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return false;
	if (connect(fd, (struct sockaddr *)&o->address, sizeof(o->address)) == 0)
		o->io = bufferevent_socket_new(o->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!o->io) {
		int error = errno;

		close(fd);
		errno = error;
		return false;
	}
	bufferevent_setcb(o->io, on_read, NULL, on_end, o);
	bufferevent_enable(o->io, EV_READ | EV_WRITE);
	return true;
}

static void send_question(struct observe *o, struct question *q)
{
	evbuffer_drain(q->answer, evbuffer_get_length(q->answer));
	q->events = 0;
	bufferevent_write(o->io, q->line, strlen(q->line));
	bufferevent_write(o->io, "\n", 1);
}

/* With all that is still to be answered.  Otherwise errno says why not. */
static bool reconnect(struct observe *o)
{
	struct question *q;

	if (!open_connection(o))
		return false;
	TAILQ_FOREACH (q, &o->asked, next)
		send_question(o, q);
	return true;
}

/* ---------------------------------------------------------------- asking */

static struct question *new_question(struct observe *o, const char *line)
{
	struct question *q = o->asked_count < ASKED_MAX ? question_new(line) : NULL;

	if (!q)
		return NULL;
	TAILQ_INSERT_TAIL(&o->asked, q, next);
	if (!o->asked_count++)
		arm(o);
	if (o->io)
		send_question(o, q);
	return q;
}

void observe_ask(struct observe *o, const char *line, observe_fn *done, void *arg)
{
	struct question *q;

	questions_forget(&o->known, io_now_ms() - OBSERVE_FRESH_MS);
	q = question_find(&o->known, line);
	if (!q)
		q = question_find(&o->asked, line);
	if (!q)
		q = new_question(o, line);
	if (!q || !question_wait(q, done, arg)) {
		done(arg, NULL, 0, "too much is being asked");
		return;
	}
	if (q->answered_ms)
		question_tell(q, NULL);
	else if (!o->io && !reconnect(o))
		fail(o, strerror(errno));
}

struct observe *observe_new(struct event_base *base, const char *path)
{
	struct observe *o = calloc(1, sizeof(*o));

	if (!o || strlen(path) >= sizeof(o->address.sun_path)) {
		free(o);
		errno = ENAMETOOLONG;
		return NULL;
	}
	o->base = base;
	o->address.sun_family = AF_UNIX;
	memcpy(o->address.sun_path, path, strlen(path) + 1);
	TAILQ_INIT(&o->asked);
	TAILQ_INIT(&o->known);
	o->deadline = evtimer_new(base, on_deadline, o);
	return o;
}

void observe_free(struct observe *o)
{
	struct question *q;

	if (!o)
		return;
	disconnect(o);
	TAILQ_CONCAT(&o->known, &o->asked, next);
	while ((q = TAILQ_FIRST(&o->known))) {
		TAILQ_REMOVE(&o->known, q, next);
		question_free(q);
	}
	event_free(o->deadline);
	free(o);
}
