#include "daemon/run/handover.h"

#include "daemon/base/fd.h"
#include "daemon/os/handed.h"
#include "daemon/run/admit.h"
#include "daemon/run/bans.h"
#include "daemon/run/capture.h"
#include "daemon/run/conns.h"
#include "daemon/run/control.h"
#include "daemon/run/deadline.h"
#include "daemon/run/declare.h"
#include "daemon/run/idle.h"
#include "daemon/run/leftover.h"
#include "daemon/run/linger.h"
#include "daemon/run/listener.h"
#include "daemon/run/peers.h"
#include "daemon/run/queue.h"
#include "daemon/run/refuse.h"
#include "daemon/run/room.h"
#include "daemon/run/units.h"
#include "daemon/run/wait.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* ---- values
 *
 * They are our own words in the form that was checked, so what is not there is 0. */

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static uint64_t item(const json_t *list, size_t i)
{
	return (uint64_t)json_integer_value(json_array_get(list, i));
}

static bool flag(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

int handover_take_fd(const json_t *n)
{
	int fd = n ? (int)json_integer_value(n) : -1;

	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

static int take_fd(const json_t *o, const char *key)
{
	return handover_take_fd(json_object_get(o, key));
}

static unsigned digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
}

/* How many bytes there are, at most `room`. */
static size_t unhex(const char *digits, void *out, size_t room)
{
	unsigned char *p = out;
	size_t n = 0;

	for (; digits && digits[0] && digits[1] && n < room; digits += 2)
		p[n++] = (unsigned char)(digit(digits[0]) << 4 | digit(digits[1]));
	return n;
}

static struct addr address(const json_t *o)
{
	struct addr a = { .kind = (enum addr_kind)number(o, "kind"),
		.dual = flag(o, "dual"),
		.handed = (unsigned)number(o, "handed") };

	a.len = (socklen_t)unhex(text(o, "bytes"), &a.sa, sizeof a - offsetof(struct addr, sa));
	return a;
}

static struct acl_prefix prefix(const json_t *list)
{
	struct acl_prefix p = { 0 };

	p.key.kind = (uint8_t)item(list, 0);
	p.bits = (uint8_t)item(list, 1);
	unhex(json_string_value(json_array_get(list, 2)), p.key.bytes, sizeof p.key.bytes);
	return p;
}

/* ---- the document */

json_t *handover_read(int fd, const char **why)
{
	struct stat st;
	json_t *state = NULL;
	void *map;

	*why = "the state of the running superd cannot be read";
	if (fstat(fd, &st) < 0 || st.st_size == 0)
		return NULL;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return NULL;
	state = json_loadb(map, (size_t)st.st_size, 0, NULL);
	munmap(map, (size_t)st.st_size);
	if (state && number(state, "handover") == HANDOVER_FORM)
		return state;
	*why = "the state of the running superd has a form that this one does not know";
	json_decref(state);
	return NULL;
}

static void take_socket(const json_t *o)
{
	struct addr a = address(json_object_get(o, "addr"));
	char name[4096];

	name[unhex(text(o, "name"), name, sizeof name - 1)] = '\0';
	handed_add(name, (int)number(o, "number"), take_fd(o, "fd"), &a, flag(o, "usable"));
}

void handover_take_sockets(int fd)
{
	const char *why;
	json_t *state = handover_read(fd, &why), *o;
	const json_t *list = json_object_get(state, "sockets");
	size_t i;

	handed_know();
	json_array_foreach (list, i, o)
		take_socket(o);
	json_decref(state);
}

int handover_pid_fd(const json_t *state)
{
	return take_fd(state, "pid_fd");
}

/* ---- services */

static void fill_service(struct service *s, const json_t *o, struct arena *arena)
{
	const json_t *listeners = json_object_get(o, "listeners");
	size_t n = json_array_size(listeners);
	struct addr *list = arena_new(arena, n * sizeof *list);

	for (size_t i = 0; i < n; i++)
		list[i] = address(json_object_get(json_array_get(listeners, i), "wanted"));
	s->name = arena_dup(arena, text(o, "name"));
	s->listen = list;
	s->listen_count = n;
	s->enabled = true;
	s->wait = flag(o, "wait");
	s->datagrams = n && addr_is_datagram(&list[0]);
}

struct config *handover_config(const json_t *state)
{
	const json_t *units = json_object_get(state, "units");
	struct config *c = config_new();
	size_t n = json_array_size(units);
	struct service *list = arena_new(&c->arena, n * sizeof *list);

	for (size_t i = 0; i < n; i++)
		fill_service(&list[i], json_array_get(units, i), &c->arena);
	c->services = list;
	c->services_count = n;
	c->generation = number(state, "generation");
	return c;
}

static void restore_listener(struct unit *u, const json_t *o, const struct addr *wanted)
{
	struct listener *l = listener_new(u, wanted);

	listener_attach(l, u, wanted);
	l->fd = take_fd(o, "fd");
	if (l->fd < 0)
		return;
	l->addr = address(json_object_get(o, "addr"));
	l->path.dev = (dev_t)number(o, "dev");
	l->path.ino = (ino_t)number(o, "ino");
	listener_restore(l);
}

static void restore_histogram(struct histogram *h, const json_t *list)
{
	for (size_t i = 0; i <= METRICS_BUCKETS; i++)
		h->in[i] = item(list, i);
	h->sum_us = item(list, METRICS_BUCKETS + 1);
}

static void restore_metrics(struct metrics *m, const json_t *o)
{
	const json_t *endings = json_object_get(o, "endings"), *each;
	size_t i;

	restore_histogram(&m->start, json_object_get(o, "start"));
	restore_histogram(&m->life, json_object_get(o, "life"));
	m->cpu_us = number(o, "cpu_us");
	m->memory_kb = (int64_t)number(o, "memory_kb");
	json_array_foreach (endings, i, each)
		metrics_restore_ending(m, (int)item(each, 0), item(each, 1));
}

static void restore_unit(struct daemon *d, const struct service *s, const json_t *o)
{
	const json_t *refused = json_object_get(o, "refused");
	const json_t *listeners = json_object_get(o, "listeners");
	struct unit *u = unit_new(d, d->config, s);

	unit_list(u);
	u->told_full = flag(o, "told_full");
	u->arrived = number(o, "arrived");
	u->accepted = number(o, "accepted");
	u->closed = number(o, "closed");
	u->refused_late = number(o, "refused_late");
	u->bucket.full_us = number(o, "bucket_us");
	for (size_t i = 0; i < REASON_COUNT; i++)
		u->refused[i] = item(refused, i);
	for (size_t i = 0; i < s->listen_count; i++)
		restore_listener(u, json_array_get(listeners, i), &s->listen[i]);
	restore_metrics(&u->metrics, json_object_get(o, "metrics"));
	if (flag(o, "removed"))
		unit_remove(u);
}

/* ---- connections */

static struct ends ends(const json_t *o)
{
	const json_t *peer = json_object_get(o, "peer");
	struct ends e = { .remote = address(json_object_get(o, "remote")),
		.local = address(json_object_get(o, "local")),
		.credentials = peer };

	e.pid = (pid_t)item(peer, 0);
	e.uid = (uid_t)item(peer, 1);
	e.gid = (gid_t)item(peer, 2);
	return e;
}

/* What is in force for it is a service of its own, in the arena of the state's configuration. */
static const struct service *service_of(struct daemon *d, const json_t *o)
{
	struct arena *arena = &d->config->arena;
	struct service *s = arena_new(arena, sizeof *s);

	s->name = arena_dup(arena, text(o, "service"));
	if (text(o, "message"))
		s->reject_message = arena_dup(arena, text(o, "message"));
	s->timeout_ms = number(o, "timeout_ms");
	s->idle_timeout_ms = number(o, "idle_timeout_ms");
	s->kill_grace_ms = number(o, "kill_grace_ms");
	s->linger = flag(o, "linger");
	return s;
}

static struct conn *restore_conn(struct daemon *d, const json_t *o, pid_t pid)
{
	struct unit *u = unit_find(d, text(o, "unit"));
	struct conn *c = conn_restore(u, d->config, service_of(d, o), pid);

	c->ends = ends(json_object_get(o, "ends"));
	c->id = number(o, "id");
	c->arrived_us = number(o, "arrived_us");
	c->start_us = number(o, "start_us");
	c->refused = (enum reason)number(o, "refused");
	c->kill_at_ms = number(o, "kill_at_ms");
	return c;
}

static void restore_idle(struct conn *c, const json_t *o)
{
	struct idle_view v;

	/* Also where no service of the new configuration has an idle_timeout. */
	if (!o || idle_open(c->unit->daemon) < 0)
		return;
	v.local = address(json_object_get(o, "local"));
	v.remote = address(json_object_get(o, "remote"));
	v.bytes = number(o, "bytes");
	v.moved_ms = number(o, "moved_ms");
	idle_restore(c, &v);
}

static void restore_handed(struct conn *c, const json_t *list)
{
	size_t n = json_array_size(list);
	bool *has;

	if (!list)
		return;
	has = mem_array(n + 1, sizeof *has);
	for (size_t i = 0; i < n; i++)
		has[i] = json_is_true(json_array_get(list, i));
	wait_restore(c, has);
	free(has);
}

static void restore_live(struct daemon *d, const json_t *o)
{
	struct conn *c = restore_conn(d, o, (pid_t)number(o, "pid"));
	int declares = take_fd(o, "declares");

	c->kept = take_fd(o, "kept");
	if (flag(o, "is_peer"))
		peer_restore(c);
	restore_handed(c, json_object_get(o, "handed"));
	deadline_restore(c);
	restore_idle(c, json_object_get(o, "idle"));
	if (declares >= 0)
		declare_restore(c, declares);
}

static void restore_lingering(struct daemon *d, const json_t *o)
{
	uint64_t end_ms = number(o, "end_ms");
	int fd = take_fd(o, "fd");
	struct conn *c;

	if (!text(o, "unit")) {
		linger_restore(d, fd, end_ms, NULL, NULL);
		return;
	}
	c = restore_conn(d, o, 0);
	c->pid = (pid_t)number(o, "pid");
	c->status = (int)number(o, "status");
	c->cpu_us = (int64_t)number(o, "cpu_us");
	c->memory_kb = (int64_t)number(o, "memory_kb");
	c->has_usage = flag(o, "has_usage");
	c->has_tcpinfo = flag(o, "has_tcpinfo");
	c->tcpinfo.peer_closed = flag(o, "peer_closed");
	conn_restore_lingering(c, fd, end_ms);
}

static void restore_capture(struct daemon *d, const json_t *o)
{
	char part[4096];
	struct capture_view v = { .conn = number(o, "conn"),
		.pid = (pid_t)number(o, "pid"),
		.fd = take_fd(o, "fd"),
		.orphan = flag(o, "orphan"),
		.part = part };
	struct capture *capture;
	struct conn *c;

	v.service = arena_dup(&d->config->arena, text(o, "service"));
	v.len = unhex(text(o, "part"), part, sizeof part);
	capture = capture_restore(d, d->config, &v);
	c = v.orphan ? NULL : conn_find(d, v.pid);
	if (c)
		c->capture = capture;
}

/* ---- sources, once the services count as the new configuration says */

static void restore_source(struct daemon *d, const json_t *o)
{
	const struct unit *u = unit_find(d, text(o, "unit"));
	struct acl_prefix p = prefix(json_object_get(o, "key"));
	struct source *s;

	if (!u)
		return;
	s = sources_get(d->sources, &p.key, u->number);
	s->bucket.full_us = number(o, "bucket_us");
	s->refused = (uint32_t)number(o, "refused");
	s->refused_since_us = number(o, "since_us");
}

static void restore_sources(struct daemon *d, const json_t *state)
{
	const json_t *list = json_object_get(state, "sources"), *o;
	size_t i;

	json_array_foreach (list, i, o)
		restore_source(d, o);
	list = json_object_get(state, "live");
	json_array_foreach (list, i, o)
		if (flag(o, "counts"))
			conn_restore_source(conn_find(d, (pid_t)number(o, "pid")));
}

/* Of the service that it waits for only the name is known, and that may be another's now. */
static bool takes_connections(const struct unit *u)
{
	const struct service *s = u->service;

	return u->state == UNIT_OPEN && !s->trap_ms && !s->wait && !s->datagrams;
}

static void restore_waiting(struct daemon *d, const json_t *o)
{
	struct unit *u = unit_find(d, text(o, "unit"));
	struct ends e = ends(json_object_get(o, "ends"));
	int fd = take_fd(o, "fd");
	struct conn *c = conn_new(u, fd, &e);
	struct arrival a;

	c->id = number(o, "id");
	c->arrived_us = number(o, "arrived_us");
	if (!takes_connections(u)) {
		/* What its handler would be is not known any more. */
		u->refused[REASON_STOP]++;
		conn_refuse(c);
		return;
	}
	arrival_init(&a, u, &c->ends);
	c->source = arrival_source(&a);
	queue_add(c);
}

void handover_restore_waiting(struct daemon *d, const json_t *state)
{
	const json_t *list = json_object_get(state, "waiting"), *o;
	size_t i;

	restore_sources(d, state);
	json_array_foreach (list, i, o)
		restore_waiting(d, o);
	/* conn_new numbered those anew. */
	d->next_conn = number(state, "next_conn");
	room_recheck(d);
}

/* ---- all */

static void each(struct daemon *d, const json_t *state, const char *key,
	void (*restore)(struct daemon *d, const json_t *o))
{
	const json_t *list = json_object_get(state, key), *o;
	size_t i;

	json_array_foreach (list, i, o)
		restore(d, o);
}

static void restore_ban(struct daemon *d, const json_t *o)
{
	struct acl_prefix who = prefix(json_object_get(o, "who"));

	bans_restore(d, &who, number(o, "left_ms"));
}

static void restore_leftover(struct daemon *d, const json_t *o)
{
	leftover_watch(d, (pid_t)item(o, 0), item(o, 1));
}

void handover_restore(struct daemon *d, const json_t *state)
{
	const json_t *units = json_object_get(state, "units");
	const json_t *nofile = json_object_get(state, "nofile");

	d->started_ms = number(state, "started_ms");
	d->next_conn = number(state, "next_conn");
	d->host.nofile_raised = json_is_array(nofile);
	if (d->host.nofile_raised) {
		d->host.nofile.rlim_cur = (rlim_t)item(nofile, 0);
		d->host.nofile.rlim_max = (rlim_t)item(nofile, 1);
	}
	for (size_t i = 0; i < d->config->services_count; i++)
		restore_unit(d, &d->config->services[i], json_array_get(units, i));
	each(d, state, "live", restore_live);
	each(d, state, "lingering", restore_lingering);
	each(d, state, "captures", restore_capture);
	each(d, state, "bans", restore_ban);
	each(d, state, "leftovers", restore_leftover);
	control_restore(d->control, json_object_get(state, "control"));
}
