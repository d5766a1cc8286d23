#include "daemon/run/handover.h"

#include "daemon/os/handed.h"
#include "daemon/run/bans.h"
#include "daemon/run/capture.h"
#include "daemon/run/control.h"
#include "daemon/run/declare.h"
#include "daemon/run/handover_values.h"
#include "daemon/run/idle.h"
#include "daemon/run/leftover.h"
#include "daemon/run/linger.h"
#include "daemon/run/queue.h"
#include "daemon/run/wait.h"

#include <stdlib.h>
#include <string.h>

struct saving {
	struct daemon *d;
	struct inheritance *in;
	json_t *list;
};

/* All of them, in their order: addresses refer to them by it. */
static json_t *sockets(struct inheritance *in)
{
	json_t *list = json_array();

	for (size_t i = 0; i < handed_count(); i++) {
		const struct handed *h = handed_at(i);
		json_t *o = json_pack("{s:o,s:i,s:b,s:o}", "name",
			value_of_bytes(h->name, strlen(h->name)), "number", h->number, "usable",
			!h->wrong, "addr", value_of_addr(&h->addr));

		value_put_fd(o, "fd", h->fd, in);
		json_array_append_new(list, o);
	}
	return list;
}

/* ---- services */

static json_t *listener(const struct listener *l, struct inheritance *in)
{
	json_t *o = json_pack("{s:o}", "wanted", value_of_addr(l->wanted));

	if (l->fd < 0)
		return o;
	value_put_fd(o, "fd", l->fd, in);
	json_object_set_new(o, "addr", value_of_addr(&l->addr));
	value_put(o, "dev", l->path.dev);
	value_put(o, "ino", l->path.ino);
	json_object_set_new(o, "lent", json_boolean(l->lent));
	return o;
}

static json_t *histogram(const struct histogram *h)
{
	json_t *list = json_array();

	for (size_t i = 0; i <= METRICS_BUCKETS; i++)
		json_array_append_new(list, value_of_number(h->in[i]));
	json_array_append_new(list, value_of_number(h->sum_us));
	return list;
}

static json_t *metrics(const struct metrics *m)
{
	json_t *endings = json_array();

	for (size_t i = 0; i < m->endings_count; i++)
		json_array_append_new(endings, json_pack("[i,I]", m->endings[i].wait_status,
						       (json_int_t)m->endings[i].count));
	return json_pack("{s:o,s:o,s:I,s:I,s:o}", "start", histogram(&m->start), "life",
		histogram(&m->life), "cpu_us", (json_int_t)m->cpu_us, "memory_kb",
		(json_int_t)m->memory_kb, "endings", endings);
}

static json_t *unit(const struct unit *u, struct inheritance *in)
{
	json_t *o = json_object(), *refused = json_array(), *listeners = json_array();
	const struct listener *l;

	json_object_set_new(o, "name", json_string(u->service->name));
	json_object_set_new(o, "removed", json_boolean(u->state == UNIT_REMOVED));
	json_object_set_new(o, "told_full", json_boolean(u->told_full));
	json_object_set_new(o, "wait", json_boolean(u->service->wait));
	value_put(o, "arrived", u->arrived);
	value_put(o, "accepted", u->accepted);
	value_put(o, "closed", u->closed);
	value_put(o, "refused_late", u->refused_late);
	value_put(o, "bucket_us", u->bucket.full_us);
	for (size_t i = 0; i < REASON_COUNT; i++)
		json_array_append_new(refused, value_of_number(u->refused[i]));
	json_object_set_new(o, "refused", refused);
	TAILQ_FOREACH (l, &u->listeners, all)
		json_array_append_new(listeners, listener(l, in));
	json_object_set_new(o, "listeners", listeners);
	json_object_set_new(o, "metrics", metrics(&u->metrics));
	return o;
}

static json_t *units(const struct daemon *d, struct inheritance *in)
{
	json_t *list = json_array();
	const struct unit *u;

	TAILQ_FOREACH (u, &d->units, all)
		json_array_append_new(list, unit(u, in));
	return list;
}

/* ---- connections */

static json_t *ends(const struct ends *e)
{
	json_t *o = json_pack("{s:o,s:o}", "remote", value_of_addr(&e->remote), "local",
		value_of_addr(&e->local));

	if (e->credentials)
		json_object_set_new(o, "peer",
			json_pack("[I,I,I]", (json_int_t)e->pid, (json_int_t)e->uid,
				(json_int_t)e->gid));
	return o;
}

/* What every connection has, whatever became of it. */
static json_t *connection(const struct conn *c)
{
	json_t *o = json_pack("{s:s,s:o}", "unit", c->unit->service->name, "ends", ends(&c->ends));

	value_put(o, "id", c->id);
	value_put(o, "arrived_us", c->arrived_us);
	return o;
}

/* What is in force for one that has started, whatever the new configuration says (H49). */
static void put_service(json_t *o, const struct service *s)
{
	json_object_set_new(o, "service", json_string(s->name));
	json_object_set_new(
		o, "message", s->reject_message ? json_string(s->reject_message) : json_null());
	value_put(o, "timeout_ms", s->timeout_ms);
	value_put(o, "idle_timeout_ms", s->idle_timeout_ms);
	value_put(o, "kill_grace_ms", s->kill_grace_ms);
	json_object_set_new(o, "linger", json_boolean(s->linger));
}

static json_t *started(const struct conn *c)
{
	json_t *o = connection(c);

	put_service(o, c->service);
	value_put(o, "start_us", c->start_us);
	value_put(o, "pid", (uint64_t)c->pid);
	value_put(o, "refused", c->refused);
	return o;
}

/* Of a program in mode "wait": a flag for each socket of its service. */
static json_t *handed(const struct conn *c)
{
	json_t *list = json_array();
	const struct listener *l;

	TAILQ_FOREACH (l, &c->unit->listeners, all)
		json_array_append_new(list, json_boolean(wait_has(c, l)));
	return list;
}

static json_t *live(const struct conn *c, struct inheritance *in)
{
	json_t *o = started(c);
	struct idle_view idle;

	json_object_set_new(o, "counts", json_boolean(c->source));
	value_put(o, "kill_at_ms", c->kill_at_ms);
	if (c->kept >= 0)
		value_put_fd(o, "kept", c->kept, in);
	if (c->handed)
		json_object_set_new(o, "handed", handed(c));
	json_object_set_new(o, "is_peer", json_boolean(c->peer));
	if (declare_fd(c) >= 0)
		value_put_fd(o, "declares", declare_fd(c), in);
	if (idle_see(c, &idle))
		json_object_set_new(o, "idle",
			json_pack("{s:o,s:o,s:I,s:I}", "local", value_of_addr(&idle.local),
				"remote", value_of_addr(&idle.remote), "bytes",
				(json_int_t)idle.bytes, "moved_ms", (json_int_t)idle.moved_ms));
	return o;
}

static json_t *live_ones(const struct daemon *d, struct inheritance *in)
{
	json_t *list = json_array();
	const struct conn *c;

	for (c = d->conns; c; c = c->hh.next)
		json_array_append_new(list, live(c, in));
	return list;
}

static void save_waiting(const struct conn *c, void *context)
{
	struct saving *s = context;
	json_t *o = connection(c);

	value_put_fd(o, "fd", c->plan.connection, s->in);
	json_array_append_new(s->list, o);
}

static json_t *waiting_ones(struct daemon *d, struct inheritance *in)
{
	struct saving s = { d, in, json_array() };
	const struct unit *u;

	TAILQ_FOREACH (u, &d->units, all)
		queue_each(u, save_waiting, &s);
	return s.list;
}

static void save_lingering(int fd, uint64_t end_ms, void *lingers_for, void *context)
{
	const struct conn *c = lingers_for;
	struct saving *s = context;
	json_t *o = c ? started(c) : json_object();

	value_put_fd(o, "fd", fd, s->in);
	value_put(o, "end_ms", end_ms);
	if (c) {
		value_put(o, "status", (uint64_t)c->status);
		value_put(o, "cpu_us", (uint64_t)c->cpu_us);
		value_put(o, "memory_kb", (uint64_t)c->memory_kb);
		value_put(o, "kill_at_ms", c->kill_at_ms);
		json_object_set_new(o, "has_usage", json_boolean(c->has_usage));
		json_object_set_new(o, "has_tcpinfo", json_boolean(c->has_tcpinfo));
		json_object_set_new(o, "peer_closed", json_boolean(c->tcpinfo.peer_closed));
	}
	json_array_append_new(s->list, o);
}

static void save_capture(const struct capture_view *v, void *context)
{
	struct saving *s = context;
	json_t *o = json_pack("{s:s,s:I,s:I,s:b,s:o}", "service", v->service, "conn",
		(json_int_t)v->conn, "pid", (json_int_t)v->pid, "orphan", v->orphan, "part",
		value_of_bytes(v->part, v->len));

	value_put_fd(o, "fd", v->fd, s->in);
	json_array_append_new(s->list, o);
}

/* ---- sources */

static void save_ban(const struct acl_prefix *who, uint64_t left_ms, void *list)
{
	json_array_append_new(list, json_pack("{s:o,s:I}", "who", value_of_prefix(who), "left_ms",
					    (json_int_t)left_ms));
}

static const struct unit *by_number(const struct daemon *d, uint32_t number)
{
	const struct unit *u;

	TAILQ_FOREACH (u, &d->units, all)
		if (u->number == number)
			return u;
	return NULL;
}

/* Those that have used up something; how many of each live is counted anew. */
static void save_source(const struct source *s, void *context)
{
	struct saving *saving = context;
	const struct acl_prefix p = { s->key, 0 };
	const struct unit *u;

	if (!s->bucket.full_us && !s->refused)
		return;
	u = by_number(saving->d, s->service);
	if (u)
		json_array_append_new(saving->list,
			json_pack("{s:s,s:o,s:I,s:I,s:I}", "unit", u->service->name, "key",
				value_of_prefix(&p), "bucket_us", (json_int_t)s->bucket.full_us,
				"refused", (json_int_t)s->refused, "since_us",
				(json_int_t)s->refused_since_us));
}

static void save_leftover(pid_t group, uint64_t kill_at_ms, void *list)
{
	json_array_append_new(list, json_pack("[I,I]", (json_int_t)group, (json_int_t)kill_at_ms));
}

/* ---- all */

static json_t *nofile(const struct host *h)
{
	if (!h->nofile_raised)
		return json_null();
	return json_pack("[I,I]", (json_int_t)h->nofile.rlim_cur, (json_int_t)h->nofile.rlim_max);
}

json_t *handover_save(struct daemon *d, struct inheritance *in)
{
	json_t *o = json_object();
	struct saving s = { d, in, NULL };

	value_put(o, "handover", HANDOVER_FORM);
	json_object_set_new(o, "version", json_string(SUPERD_VERSION));
	value_put(o, "generation", d->config->generation);
	value_put(o, "started_ms", d->started_ms);
	value_put(o, "next_conn", d->next_conn);
	if (d->pid_fd >= 0)
		value_put_fd(o, "pid_fd", d->pid_fd, in);
	json_object_set_new(o, "sockets", sockets(in));
	json_object_set_new(o, "nofile", nofile(&d->host));
	json_object_set_new(o, "units", units(d, in));
	json_object_set_new(o, "live", live_ones(d, in));
	json_object_set_new(o, "waiting", waiting_ones(d, in));
	json_object_set_new(o, "lingering", s.list = json_array());
	lingers_each(d, save_lingering, &s);
	json_object_set_new(o, "captures", s.list = json_array());
	captures_each(d, save_capture, &s);
	json_object_set_new(o, "sources", s.list = json_array());
	sources_each(d->sources, save_source, &s);
	json_object_set_new(o, "bans", s.list = json_array());
	bans_each(d, save_ban, s.list);
	json_object_set_new(o, "leftovers", s.list = json_array());
	leftovers_each(d, save_leftover, s.list);
	json_object_set_new(o, "control", control_save(d->control, in));
	return o;
}
