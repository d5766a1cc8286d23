#include "daemon/run/control_client.h"

#include "daemon/base/fd.h"
#include "daemon/run/control_verbs.h"
#include "daemon/run/handover_values.h"
#include "daemon/run/units.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 65536
#define CLIENTS_MAX 64 /* of each socket: observers cannot shut the administrator out */
#define UNREAD_MAX                                                                                 \
	(16 << 20) /* bytes of answers that a client has not read; then it is dropped              \
		    */

struct client {
	TAILQ_ENTRY(client) all;
	struct clients *clients;
	enum role role;
	struct bufferevent *io; /* owned */
	uid_t uid;
	pid_t pid;
	char *drains;  /* owned: the service whose end it waits for */
	bool upgrades; /* it waits for an upgrade */
	bool ended;    /* it will ask no more */
	bool gone;     /* nor read */
	struct follower follower;
};

static void client_free(struct client *k)
{
	struct clients *cs = k->clients;

	TAILQ_REMOVE(&cs->all, k, all);
	cs->count[k->role]--;
	cs->drains -= k->drains != NULL;
	events_leave(cs->events, &k->follower);
	bufferevent_free(k->io);
	free(k->drains);
	free(k);
}

struct daemon *client_daemon(const struct client *k)
{
	return k->clients->d;
}

bool client_may_change(const struct client *k)
{
	return k->role == CONTROL;
}

void client_tell(const struct client *k, struct log_line *l)
{
	log_num(l, "uid", k->uid);
	log_num(l, "pid", k->pid);
}

/* ---- answers */

static void send_json(struct client *k, json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);

	if (text) {
		bufferevent_write(k->io, text, strlen(text));
		bufferevent_write(k->io, "\n", 1);
	}
	free(text);
	json_decref(o);
}

void client_answer(struct client *k, json_t *answer)
{
	json_object_set_new(answer, "ok", json_true());
	send_json(k, answer);
}

static void add_line(const char *line, void *list)
{
	json_array_append_new(list, json_string(line));
}

/* Up to where it is UTF-8: what is quoted may have been cut in the middle of a character. */
static json_t *text_of(char *text)
{
	size_t n = strlen(text);
	json_t *value;

	while (!(value = json_string(text)) && n)
		text[--n] = '\0';
	return value;
}

void client_refuse(struct client *k, struct complaints *complaints, const char *format, ...)
{
	json_t *answer = json_object();
	char what[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof what, format, ap);
	va_end(ap);
	json_object_set_new(answer, "ok", json_false());
	json_object_set_new(answer, "error", text_of(what));
	if (complaints) {
		json_t *list = json_array();

		complaints_each(complaints, add_line, list);
		json_object_set_new(answer, "complaints", list);
	}
	send_json(k, answer);
}

void client_log(struct client *k, enum log_level level, size_t count, bool follow)
{
	struct events *e = k->clients->events;

	events_tell(e, k->io, level, count);
	if (follow) {
		events_follow(e, &k->follower, level);
	} else {
		events_leave(e, &k->follower);
		send_json(k, json_pack("{s:s}", "event", "end"));
	}
}

/* ---- what takes its time */

void client_wait_drained(struct client *k, const char *service)
{
	k->clients->drains += k->drains == NULL;
	free(k->drains);
	k->drains = mem_dup(service);
}

static void check_drained(struct client *k)
{
	const struct unit *u = unit_find(k->clients->d, k->drains);

	if (u && (u->live || u->waiting || u->lingering))
		return;
	free(k->drains);
	k->drains = NULL;
	k->clients->drains--;
	client_answer(k, json_object());
}

void clients_check(struct clients *cs)
{
	struct client *k;

	if (!cs->drains)
		return;
	TAILQ_FOREACH (k, &cs->all, all)
		if (k->drains)
			check_drained(k);
}

void client_wait_upgraded(struct client *k)
{
	k->upgrades = true;
}

void clients_upgraded(struct clients *cs, const char *why)
{
	struct client *k;

	TAILQ_FOREACH (k, &cs->all, all) {
		if (!k->upgrades)
			continue;
		k->upgrades = false;
		if (why)
			client_refuse(k, NULL, "%s", why);
		else
			client_answer(k, json_pack("{s:s}", "version", SUPERD_VERSION));
	}
}

/* ---- requests */

static void handle(struct client *k, const char *line, size_t len)
{
	json_error_t error;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);

	if (!request)
		client_refuse(k, NULL, "the request is not JSON: %s", error.text);
	else if (!json_is_object(request))
		client_refuse(k, NULL, "the request is not an object");
	else
		control_do(k, request);
	json_decref(request);
}

static size_t unread(const struct client *k)
{
	return evbuffer_get_length(bufferevent_get_output(k->io));
}

static bool asks_more(const struct client *k)
{
	struct evbuffer *in = bufferevent_get_input(k->io);

	return evbuffer_search_eol(in, NULL, NULL, EVBUFFER_EOL_LF).pos >= 0;
}

static bool has_all(const struct client *k)
{
	return !unread(k) && !k->drains && !k->upgrades && !k->follower.follows;
}

static void end_if_done(struct client *k)
{
	if (k->ended && !asks_more(k) && (k->gone || has_all(k)))
		client_free(k);
}

/* One request a turn of the loop: many of them must not hold up who waits to be served (H24). */
static void on_read(struct bufferevent *io, void *arg)
{
	struct client *k = arg;
	struct evbuffer *in = bufferevent_get_input(io);
	size_t len;
	char *line;

	start_after_wait(k->clients->d->starter);
	line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
	if (line) {
		handle(k, line, len);
		free(line);
		if (unread(k) > UNREAD_MAX) {
			client_free(k);
			return;
		}
		if (asks_more(k))
			bufferevent_trigger(io, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
	} else if (evbuffer_get_length(in) >= LINE_MAX_BYTES) {
		client_refuse(k, NULL, "the request is longer than %d bytes", LINE_MAX_BYTES);
		evbuffer_drain(in, evbuffer_get_length(in));
	}
	end_if_done(k);
}

static void on_written(struct bufferevent *io, void *arg)
{
	struct client *k = arg;

	(void)io;
	start_after_wait(k->clients->d->starter);
	events_caught_up(&k->follower);
	end_if_done(k);
}

static bool still_reads(const struct client *k)
{
	struct pollfd p = { .fd = bufferevent_getfd(k->io) };

	return poll(&p, 1, 0) == 0;
}

/* What it has asked is done even if it is gone; a half-close is not a disconnect (H30). */
static void on_end(struct bufferevent *io, short what, void *arg)
{
	struct client *k = arg;

	start_after_wait(k->clients->d->starter);
	k->ended = true;
	k->gone = !(what & BEV_EVENT_EOF) || !still_reads(k);
	bufferevent_disable(io, k->gone ? EV_READ | EV_WRITE : EV_READ);
	end_if_done(k);
}

/* ---- coming and going */

static struct client *client_new(struct clients *cs, enum role role, int fd)
{
	struct client *k = mem_new(sizeof *k);
	gid_t gid;

	k->clients = cs;
	k->role = role;
	sock_credentials(fd, &k->pid, &k->uid, &gid);
	k->io = bufferevent_socket_new(cs->d->base, fd_high(fd), BEV_OPT_CLOSE_ON_FREE);
	if (!k->io)
		fatal("cannot poll: %m");
	k->follower.io = k->io;
	bufferevent_setcb(k->io, on_read, on_written, on_end, k);
	bufferevent_setwatermark(k->io, EV_READ, 0, LINE_MAX_BYTES);
	bufferevent_enable(k->io, EV_READ | EV_WRITE);
	TAILQ_INSERT_TAIL(&cs->all, k, all);
	cs->count[role]++;
	return k;
}

/* The mode of the socket says the same; but a folder on the way may be too open one day. */
static bool is_owner(const struct client *k)
{
	return k->uid == 0 || k->uid == geteuid();
}

/* What has been answered should arrive, as "stopped" does; without waiting for anybody. */
static void last_words(struct client *k)
{
	struct evbuffer *out = bufferevent_get_output(k->io);

	/* It is the bufferevent's own, which would write in the next turn of the loop. */
	evbuffer_unfreeze(out, 1);
	evbuffer_write(out, bufferevent_getfd(k->io));
}

void clients_come(struct clients *cs, enum role role, int fd)
{
	struct client *k;

	if (cs->count[role] >= CLIENTS_MAX) {
		close(fd);
		return;
	}
	k = client_new(cs, role, fd);
	if (role == CONTROL && !is_owner(k)) {
		client_refuse(k, NULL, "you are not who runs superd");
		last_words(k);
		client_free(k);
	}
}

void clients_init(struct clients *cs, struct daemon *d, struct events *events)
{
	cs->d = d;
	cs->events = events;
	TAILQ_INIT(&cs->all);
}

void clients_fini(struct clients *cs)
{
	while (!TAILQ_EMPTY(&cs->all)) {
		last_words(TAILQ_FIRST(&cs->all));
		client_free(TAILQ_FIRST(&cs->all));
	}
}

/* ---- upgrade */

json_t *clients_save(const struct clients *cs, struct inheritance *in)
{
	json_t *list = json_array();
	const struct client *k;

	TAILQ_FOREACH (k, &cs->all, all)
		if (k->upgrades)
			json_array_append_new(list, value_of_fd(bufferevent_getfd(k->io), in));
	return list;
}

void clients_restore(struct clients *cs, const json_t *saved)
{
	const json_t *o;
	size_t i;

	json_array_foreach (saved, i, o)
		client_new(cs, CONTROL, value_take_fd(o))->upgrades = true;
}
