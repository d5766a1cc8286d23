#include "daemon/run/control.h"

#include "daemon/base/clock.h"
#include "daemon/base/fd.h"
#include "daemon/run/control_verbs.h"
#include "daemon/run/daemon.h"
#include "daemon/run/handover.h"
#include "daemon/run/reserve.h"
#include "daemon/run/units.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 65536
#define CLIENTS_MAX 64       /* of each socket: observers cannot shut the administrator out */
#define UNREAD_MAX (1 << 20) /* bytes that a client has not read; then it misses events */
#define HISTORY 256          /* events that a client can be told of afterwards */
#define PAUSE_MS 200         /* where no descriptor is left for a client */

enum role { CONTROL, OBSERVE, ROLES };

struct door {
	struct control *control;
	enum role role;
	char *name; /* owned; NULL: closed */
	struct addr addr;
	struct sock_path path;
	int fd;
	struct event *event; /* owned */
	struct event *pause; /* owned; NULL: it was never needed */
	bool keep;           /* of `next`: the one that is open goes on */
};

struct client {
	TAILQ_ENTRY(client) all;
	struct control *control;
	enum role role;
	struct bufferevent *io; /* owned */
	uid_t uid;
	pid_t pid;
	char *drains;  /* owned: the service whose end it waits for */
	bool upgrades; /* it waits for an upgrade */
	bool follows;
	bool ended; /* it will ask no more */
	bool gone;  /* nor read */
	enum log_level level;
	uint64_t missed;
};

struct control {
	struct daemon *d;
	struct door doors[ROLES], next[ROLES];
	TAILQ_HEAD(clients, client) clients;
	size_t clients_count[ROLES], drains_count;
	char *history[HISTORY]; /* owned; a ring */
	enum log_level levels[HISTORY];
	uint64_t told; /* events since the start */
};

/* ---- clients */

static void client_free(struct client *k)
{
	struct control *c = k->control;

	TAILQ_REMOVE(&c->clients, k, all);
	c->clients_count[k->role]--;
	c->drains_count -= k->drains != NULL;
	bufferevent_free(k->io);
	free(k->drains);
	free(k);
}

struct daemon *client_daemon(const struct client *k)
{
	return k->control->d;
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

void client_wait_drained(struct client *k, const char *service)
{
	k->control->drains_count += k->drains == NULL;
	free(k->drains);
	k->drains = mem_dup(service);
}

static void check_drained(struct client *k)
{
	const struct unit *u = unit_find(k->control->d, k->drains);

	if (u && (u->live || u->waiting || u->lingering))
		return;
	free(k->drains);
	k->drains = NULL;
	k->control->drains_count--;
	client_answer(k, json_object());
}

void client_wait_upgraded(struct client *k)
{
	k->upgrades = true;
}

void control_upgraded(struct control *c, const char *why)
{
	struct client *k;

	TAILQ_FOREACH (k, &c->clients, all) {
		if (!k->upgrades)
			continue;
		k->upgrades = false;
		if (why)
			client_refuse(k, NULL, "%s", why);
		else
			client_answer(k, json_pack("{s:s}", "version", SUPERD_VERSION));
	}
}

void control_check(struct control *c)
{
	struct client *k;

	if (!c->drains_count)
		return;
	TAILQ_FOREACH (k, &c->clients, all)
		if (k->drains)
			check_drained(k);
}

/* ---- events */

static size_t unread(const struct client *k)
{
	return evbuffer_get_length(bufferevent_get_output(k->io));
}

static void tell_missed(struct client *k)
{
	if (!k->missed)
		return;
	send_json(k, json_pack("{s:s,s:I}", "event", "missed", "lines", (json_int_t)k->missed));
	k->missed = 0;
}

static void follow(struct client *k, enum log_level level, const char *line, size_t len)
{
	if (level > k->level)
		return;
	if (unread(k) > UNREAD_MAX) {
		k->missed++;
		return;
	}
	tell_missed(k);
	bufferevent_write(k->io, line, len);
}

static void remember(struct control *c, enum log_level level, const char *line, size_t len)
{
	size_t at = c->told++ % HISTORY;

	free(c->history[at]);
	c->history[at] = mem_new(len + 1);
	memcpy(c->history[at], line, len);
	c->levels[at] = level;
}

static void on_event(void *context, enum log_level level, const char *line, size_t len)
{
	struct control *c = context;
	struct client *k;

	/* What each connection says would wash everything else out. */
	if (level <= LOG_NOTICE)
		remember(c, level, line, len);
	TAILQ_FOREACH (k, &c->clients, all)
		if (k->follows)
			follow(k, level, line, len);
}

/* Listens for what somebody wants to hear. */
static void set_tap(struct control *c)
{
	struct log_tap tap = { LOG_NOTICE, on_event, c };
	const struct client *k;

	TAILQ_FOREACH (k, &c->clients, all)
		if (k->follows && k->level > tap.level)
			tap.level = k->level;
	if (!c->doors[CONTROL].name && !c->doors[OBSERVE].name && TAILQ_EMPTY(&c->clients))
		tap.take = NULL;
	log_set_tap(&tap);
}

void client_log(struct client *k, enum log_level level, size_t count, bool follows)
{
	struct control *c = k->control;
	uint64_t i = c->told > HISTORY ? c->told - HISTORY : 0;

	if (c->told - i > count)
		i = c->told - count;
	for (; i < c->told; i++) {
		const char *line = c->history[i % HISTORY];

		if (c->levels[i % HISTORY] <= level)
			bufferevent_write(k->io, line, strlen(line));
	}
	k->follows = follows;
	k->level = level;
	if (follows)
		set_tap(c);
	else
		send_json(k, json_pack("{s:s}", "event", "end"));
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

static void client_end(struct client *k)
{
	struct control *c = k->control;

	client_free(k);
	set_tap(c);
}

static bool asks_more(const struct client *k)
{
	struct evbuffer *in = bufferevent_get_input(k->io);

	return evbuffer_search_eol(in, NULL, NULL, EVBUFFER_EOL_LF).pos >= 0;
}

static bool has_all(const struct client *k)
{
	return !unread(k) && !k->drains && !k->upgrades && !k->follows;
}

static void end_if_done(struct client *k)
{
	if (k->ended && !asks_more(k) && (k->gone || has_all(k)))
		client_end(k);
}

/* One request a turn of the loop: many of them must not hold up who waits to be served (H24). */
static void on_read(struct bufferevent *io, void *arg)
{
	struct client *k = arg;
	struct evbuffer *in = bufferevent_get_input(io);
	size_t len;
	char *line;

	start_after_wait(k->control->d->starter);
	line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
	if (line) {
		handle(k, line, len);
		free(line);
		if (unread(k) > UNREAD_MAX * 16) {
			client_end(k);
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

/* It has read everything; what it missed meanwhile it is told now. */
static void on_written(struct bufferevent *io, void *arg)
{
	struct client *k = arg;

	(void)io;
	start_after_wait(k->control->d->starter);
	tell_missed(k);
	end_if_done(k);
}

/* A half-close is not a disconnect (H30). */
static bool still_reads(const struct client *k)
{
	struct pollfd p = { .fd = bufferevent_getfd(k->io) };

	return poll(&p, 1, 0) == 0;
}

/* What it has asked is done even if it is gone. */
static void on_end(struct bufferevent *io, short what, void *arg)
{
	struct client *k = arg;

	start_after_wait(k->control->d->starter);
	k->ended = true;
	k->gone = !(what & BEV_EVENT_EOF) || !still_reads(k);
	bufferevent_disable(io, k->gone ? EV_READ | EV_WRITE : EV_READ);
	end_if_done(k);
}

static struct client *client_new(struct control *c, enum role role, int fd)
{
	struct client *k = mem_new(sizeof *k);
	gid_t gid;

	k->control = c;
	k->role = role;
	sock_credentials(fd, &k->pid, &k->uid, &gid);
	k->io = bufferevent_socket_new(c->d->base, fd_high(fd), BEV_OPT_CLOSE_ON_FREE);
	if (!k->io)
		fatal("cannot poll: %m");
	bufferevent_setcb(k->io, on_read, on_written, on_end, k);
	bufferevent_setwatermark(k->io, EV_READ, 0, LINE_MAX_BYTES);
	bufferevent_enable(k->io, EV_READ | EV_WRITE);
	TAILQ_INSERT_TAIL(&c->clients, k, all);
	c->clients_count[role]++;
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

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct door *door = arg;

	(void)fd;
	(void)what;
	event_add(door->event, NULL);
}

/* No spinning over a client that cannot be taken (H3). */
static void pause_door(struct door *door)
{
	const struct timeval t = clock_span(PAUSE_MS);

	if (!door->pause)
		door->pause = evtimer_new(door->control->d->base, on_pause_over, door);
	event_del(door->event);
	event_add(door->pause, &t);
}

static int accept_client(struct door *door)
{
	struct addr who = { .len = sizeof who.un };
	int fd = accept4(door->fd, &who.sa, &who.len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 || errno != EMFILE || !reserve_release(door->control->d))
		return fd;
	who.len = sizeof who.un;
	return accept4(door->fd, &who.sa, &who.len, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void on_client(evutil_socket_t listener, short what, void *arg)
{
	struct door *door = arg;
	struct control *c = door->control;
	struct client *k;
	int fd;

	(void)listener;
	(void)what;
	start_after_wait(c->d->starter);
	fd = accept_client(door);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			pause_door(door);
		return;
	}
	if (c->clients_count[door->role] >= CLIENTS_MAX) {
		close(fd);
		return;
	}
	k = client_new(c, door->role, fd);
	if (door->role == CONTROL && !is_owner(k)) {
		client_refuse(k, NULL, "you are not who runs superd");
		last_words(k);
		client_free(k);
	}
}

/* ---- the sockets */

static void door_close(struct door *door)
{
	if (!door->name)
		return;
	if (door->event)
		event_free(door->event);
	if (door->pause)
		event_free(door->pause);
	sock_unlink(&door->addr, &door->path);
	fd_close(&door->fd);
	free(door->name);
	door->name = NULL;
	door->event = door->pause = NULL;
}

static struct addr unix_address(const char *path)
{
	struct addr a = { .kind = ADDR_UNIX, .un.sun_family = AF_UNIX };

	memcpy(a.un.sun_path, path, strlen(path) + 1);
	a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
	return a;
}

static void door_poll(struct door *door)
{
	door->event =
		event_new(door->control->d->base, door->fd, EV_READ | EV_PERSIST, on_client, door);
	if (!door->event || event_add(door->event, NULL) < 0)
		fatal("cannot poll: %m");
}

static bool door_open(struct door *door, const char *name, const struct service *options,
	struct complaints *complaints)
{
	struct addr wanted = unix_address(name);
	const char *call;

	door->fd = sock_listen(&wanted, options, &door->addr, &door->path, &call);
	if (door->fd < 0) {
		complain(complaints, door->role == CONTROL ? "control" : "observe", 0, 0,
			"%s: %s: %s", name, call, strerror(errno));
		return false;
	}
	door->name = mem_dup(name);
	return true;
}

static const char *wanted_name(const struct control *c, const struct config *config, enum role role)
{
	const char *given = c->d->options->control;

	if (role == OBSERVE)
		return config->observe;
	return given ? given : config->control;
}

static struct service socket_options(const struct config *config, enum role role)
{
	struct service s = { .socket = { .backlog = 16, .mode = 0600 } };

	if (role == OBSERVE) {
		s.socket.mode = config->observe_mode;
		s.socket.owner_set = config->observe_gid != (gid_t)-1;
		s.socket.uid = (uid_t)-1;
		s.socket.gid = config->observe_gid;
	}
	return s;
}

static bool same_name(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool prepare_door(struct control *c, const struct config *config, enum role role,
	struct complaints *complaints)
{
	const char *name = wanted_name(c, config, role);
	struct service options = socket_options(config, role);
	struct door *now = &c->doors[role], *next = &c->next[role];
	const char *call;

	*next = (struct door){ .control = c, .role = role, .fd = -1 };
	if (!name)
		return true;
	if (!same_name(now->name, name))
		return door_open(next, name, &options, complaints);
	if (sock_adjust(now->fd, &now->addr, &now->path, &options, &call) == 0)
		return true;
	complain(complaints, name, 0, 0, "%s: %s", call, strerror(errno));
	return false;
}

bool control_prepare(struct control *c, const struct config *config, struct complaints *complaints)
{
	bool good = true;

	for (enum role role = 0; role < ROLES; role++)
		good = prepare_door(c, config, role, complaints) && good;
	if (!good)
		control_abandon(c);
	else
		for (enum role role = 0; role < ROLES; role++)
			c->next[role].keep =
				same_name(c->doors[role].name, wanted_name(c, config, role));
	return good;
}

void control_commit(struct control *c)
{
	for (enum role role = 0; role < ROLES; role++) {
		struct door *door = &c->doors[role];

		if (c->next[role].keep)
			continue;
		door_close(door);
		*door = c->next[role];
		if (!door->name)
			continue;
		door->event =
			event_new(c->d->base, door->fd, EV_READ | EV_PERSIST, on_client, door);
		if (!door->event || event_add(door->event, NULL) < 0)
			fatal("cannot poll: %m");
	}
	set_tap(c);
}

void control_abandon(struct control *c)
{
	for (enum role role = 0; role < ROLES; role++)
		door_close(&c->next[role]);
}

struct control *control_new(struct daemon *d)
{
	struct control *c = mem_new(sizeof *c);

	c->d = d;
	TAILQ_INIT(&c->clients);
	return c;
}

void control_free(struct control *c)
{
	const struct log_tap none = { 0 };

	if (!c)
		return;
	log_set_tap(&none);
	while (!TAILQ_EMPTY(&c->clients)) {
		last_words(TAILQ_FIRST(&c->clients));
		client_free(TAILQ_FIRST(&c->clients));
	}
	for (enum role role = 0; role < ROLES; role++)
		door_close(&c->doors[role]);
	for (size_t i = 0; i < HISTORY; i++)
		free(c->history[i]);
	free(c);
}

/* ---- upgrade */

static json_t *save_door(const struct door *door, struct inheritance *in)
{
	return json_pack("{s:i,s:s,s:o,s:I,s:I}", "role", (int)door->role, "name", door->name, "fd",
		handover_fd(door->fd, in), "dev", (json_int_t)door->path.dev, "ino",
		(json_int_t)door->path.ino);
}

json_t *control_save(const struct control *c, struct inheritance *in)
{
	json_t *doors = json_array(), *clients = json_array();
	const struct client *k;

	for (enum role role = 0; role < ROLES; role++)
		if (c->doors[role].name)
			json_array_append_new(doors, save_door(&c->doors[role], in));
	TAILQ_FOREACH (k, &c->clients, all)
		if (k->upgrades)
			json_array_append_new(clients, handover_fd(bufferevent_getfd(k->io), in));
	return json_pack("{s:o,s:o}", "doors", doors, "clients", clients);
}

static void restore_door(struct control *c, const json_t *o)
{
	json_int_t role = json_integer_value(json_object_get(o, "role"));
	struct door *door = &c->doors[role];

	door->control = c;
	door->role = (enum role)role;
	door->name = mem_dup(json_string_value(json_object_get(o, "name")));
	door->fd = handover_take_fd(json_object_get(o, "fd"));
	door->addr = unix_address(door->name);
	door->path.dev = (dev_t)json_integer_value(json_object_get(o, "dev"));
	door->path.ino = (ino_t)json_integer_value(json_object_get(o, "ino"));
	door_poll(door);
}

void control_restore(struct control *c, const json_t *saved)
{
	json_t *list = json_object_get(saved, "doors"), *o;
	size_t i;

	json_array_foreach (list, i, o)
		restore_door(c, o);
	list = json_object_get(saved, "clients");
	json_array_foreach (list, i, o)
		client_new(c, CONTROL, handover_take_fd(o))->upgrades = true;
}
