#include "daemon/run/handover_conns.h"

#include "daemon/run/admit.h"
#include "daemon/run/capture.h"
#include "daemon/run/conns.h"
#include "daemon/run/deadline.h"
#include "daemon/run/declare.h"
#include "daemon/run/handover.h"
#include "daemon/run/handover_values.h"
#include "daemon/run/idle.h"
#include "daemon/run/linger.h"
#include "daemon/run/peers.h"
#include "daemon/run/queue.h"
#include "daemon/run/refuse.h"
#include "daemon/run/room.h"
#include "daemon/run/units.h"
#include "daemon/run/wait.h"

#include <stdlib.h>

static struct ends ends(const json_t *o)
{
	const json_t *peer = json_object_get(o, "peer");
	struct ends e = { .remote = value_addr(json_object_get(o, "remote")),
		.local = value_addr(json_object_get(o, "local")),
		.credentials = peer };

	e.pid = (pid_t)value_item(peer, 0);
	e.uid = (uid_t)value_item(peer, 1);
	e.gid = (gid_t)value_item(peer, 2);
	return e;
}

/* What is in force for it is a service of its own, in the arena of the state's configuration. */
static const struct service *service_of(struct daemon *d, const json_t *o)
{
	struct arena *arena = &d->config->arena;
	struct service *s = arena_new(arena, sizeof *s);

	s->name = arena_dup(arena, value_text(o, "service"));
	if (value_text(o, "message"))
		s->reject_message = arena_dup(arena, value_text(o, "message"));
	s->timeout_ms = value_number(o, "timeout_ms");
	s->idle_timeout_ms = value_number(o, "idle_timeout_ms");
	s->kill_grace_ms = value_number(o, "kill_grace_ms");
	s->linger = value_flag(o, "linger");
	return s;
}

static struct conn *restore_conn(struct daemon *d, const json_t *o, pid_t pid)
{
	struct unit *u = unit_find(d, value_text(o, "unit"));
	struct conn *c = conn_restore(u, d->config, service_of(d, o), pid);

	c->ends = ends(json_object_get(o, "ends"));
	c->id = value_number(o, "id");
	c->arrived_us = value_number(o, "arrived_us");
	c->start_us = value_number(o, "start_us");
	c->refused = (enum reason)value_number(o, "refused");
	c->kill_at_ms = value_number(o, "kill_at_ms");
	return c;
}

static void restore_idle(struct conn *c, const json_t *o)
{
	struct idle_view v;

	/* Also where no service of the new configuration has an idle_timeout. */
	if (!o || idle_open(c->unit->daemon) < 0)
		return;
	v.local = value_addr(json_object_get(o, "local"));
	v.remote = value_addr(json_object_get(o, "remote"));
	v.bytes = value_number(o, "bytes");
	v.moved_ms = value_number(o, "moved_ms");
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

void handover_restore_live(struct daemon *d, const json_t *o)
{
	struct conn *c = restore_conn(d, o, (pid_t)value_number(o, "pid"));
	int declares = value_fd(o, "declares");

	c->kept = value_fd(o, "kept");
	if (value_flag(o, "is_peer"))
		peer_restore(c);
	restore_handed(c, json_object_get(o, "handed"));
	deadline_restore(c);
	restore_idle(c, json_object_get(o, "idle"));
	if (declares >= 0)
		declare_restore(c, declares);
}

void handover_restore_lingering(struct daemon *d, const json_t *o)
{
	uint64_t end_ms = value_number(o, "end_ms");
	int fd = value_fd(o, "fd");
	struct conn *c;

	if (!value_text(o, "unit")) {
		linger_restore(d, fd, end_ms, NULL, NULL);
		return;
	}
	c = restore_conn(d, o, 0);
	c->pid = (pid_t)value_number(o, "pid");
	c->status = (int)value_number(o, "status");
	c->cpu_us = (int64_t)value_number(o, "cpu_us");
	c->memory_kb = (int64_t)value_number(o, "memory_kb");
	c->has_usage = value_flag(o, "has_usage");
	c->has_tcpinfo = value_flag(o, "has_tcpinfo");
	c->tcpinfo.peer_closed = value_flag(o, "peer_closed");
	conn_restore_lingering(c, fd, end_ms);
}

void handover_restore_capture(struct daemon *d, const json_t *o)
{
	char part[4096];
	struct capture_view v = { .conn = value_number(o, "conn"),
		.pid = (pid_t)value_number(o, "pid"),
		.fd = value_fd(o, "fd"),
		.orphan = value_flag(o, "orphan"),
		.part = part };
	struct capture *capture;
	struct conn *c;

	v.service = arena_dup(&d->config->arena, value_text(o, "service"));
	v.len = value_bytes(value_text(o, "part"), part, sizeof part);
	capture = capture_restore(d, d->config, &v);
	c = v.orphan ? NULL : conn_find(d, v.pid);
	if (c)
		c->capture = capture;
}

/* ---- sources, once the services count as the new configuration says */

static void restore_source(struct daemon *d, const json_t *o)
{
	const struct unit *u = unit_find(d, value_text(o, "unit"));
	struct acl_prefix p = value_prefix(json_object_get(o, "key"));
	struct source *s;

	if (!u)
		return;
	s = sources_get(d->sources, &p.key, u->number);
	s->bucket.full_us = value_number(o, "bucket_us");
	s->refused = (uint32_t)value_number(o, "refused");
	s->refused_since_us = value_number(o, "since_us");
}

static void restore_sources(struct daemon *d, const json_t *state)
{
	const json_t *list = json_object_get(state, "sources"), *o;
	size_t i;

	json_array_foreach (list, i, o)
		restore_source(d, o);
	list = json_object_get(state, "live");
	json_array_foreach (list, i, o)
		if (value_flag(o, "counts"))
			conn_restore_source(conn_find(d, (pid_t)value_number(o, "pid")));
}

/* Of the service that it waits for only the name is known, and that may be another's now. */
static bool takes_connections(const struct unit *u)
{
	const struct service *s = u->service;

	return u->state == UNIT_OPEN && !s->trap_ms && !s->wait && !s->datagrams;
}

static void restore_waiting(struct daemon *d, const json_t *o)
{
	struct unit *u = unit_find(d, value_text(o, "unit"));
	struct ends e = ends(json_object_get(o, "ends"));
	int fd = value_fd(o, "fd");
	struct conn *c = conn_new(u, fd, &e);
	struct arrival a;

	c->id = value_number(o, "id");
	c->arrived_us = value_number(o, "arrived_us");
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
	d->next_conn = value_number(state, "next_conn");
	room_recheck(d);
}
