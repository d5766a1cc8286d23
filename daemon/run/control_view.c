#include "daemon/run/control_view.h"

#include "daemon/base/clock.h"
#include "daemon/run/admit.h"
#include "daemon/run/bans.h"
#include "daemon/run/explain.h"
#include "daemon/run/queue.h"

#include <sys/wait.h>
#include <unistd.h>

#define ADDRESSES_SHOWN 16 /* of a service in a list; in full all are */

static void put(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new(o, key, json_integer((json_int_t)n));
}

static void put_text(json_t *o, const char *key, const char *text)
{
	json_object_set_new(o, key, text ? json_string(text) : json_null());
}

json_t *view_daemon(const struct daemon *d)
{
	json_t *o = json_object();

	put_text(o, "version", SUPERD_VERSION);
	put(o, "pid", (uint64_t)getpid());
	put_text(o, "config", d->config->path);
	put(o, "generation", d->config->generation);
	put(o, "uptime_ms", clock_ms() - d->started_ms);
	put_text(o, "state", d->phase == PHASE_SERVE ? "serving" : "stopping");
	put(o, "services", d->units_count - d->units_removed);
	put(o, "listeners", d->listeners_open);
	put(o, "live", d->live);
	put(o, "waiting", d->waiting);
	put(o, "max_connections", d->config->max_connections);
	put(o, "log_dropped", log_dropped());
	return o;
}

/* ---- services */

static const char *state_of(const struct unit *u)
{
	static const char *const names[] = {
		[UNIT_OPEN] = "open",
		[UNIT_PAUSED] = "paused",
		[UNIT_CLOSED] = "closed",
		[UNIT_REMOVED] = "removed",
	};

	return names[u->state];
}

static json_t *listeners(const struct unit *u, size_t most)
{
	json_t *list = json_array();
	const struct listener *l;
	char text[ADDR_TEXT_MAX];

	TAILQ_FOREACH (l, &u->listeners, all) {
		const struct addr *a = l->fd >= 0 ? &l->addr : l->wanted;

		if (!most--)
			break;
		json_array_append_new(list,
			json_pack("{s:s,s:b}", "addr", addr_format(a, text), "open", l->fd >= 0));
	}
	return list;
}

static json_t *refusals(const struct unit *u)
{
	json_t *o = json_object();

	for (enum reason r = ADMITTED + 1; r < REASON_COUNT; r++)
		if (u->refused[r])
			put(o, reason_name(r), u->refused[r]);
	return o;
}

json_t *view_bounds(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < METRICS_BUCKETS; i++)
		json_array_append_new(list, json_integer((json_int_t)metrics_bounds_us[i]));
	return list;
}

static json_t *histogram(const struct histogram *h)
{
	json_t *in = json_array();

	for (size_t i = 0; i <= METRICS_BUCKETS; i++)
		json_array_append_new(in, json_integer((json_int_t)h->in[i]));
	return json_pack("{s:o,s:I}", "in", in, "sum_us", (json_int_t)h->sum_us);
}

static json_t *endings(const struct metrics *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->endings_count; i++) {
		int status = m->endings[i].wait_status;
		bool signal = WIFSIGNALED(status);

		json_array_append_new(list, json_pack("{s:i,s:I}", signal ? "signal" : "exit",
						    signal ? WTERMSIG(status) : WEXITSTATUS(status),
						    "count", (json_int_t)m->endings[i].count));
	}
	return list;
}

static void put_metrics(json_t *o, const struct metrics *m)
{
	json_object_set_new(o, "start", histogram(&m->start));
	json_object_set_new(o, "life", histogram(&m->life));
	json_object_set_new(o, "endings", endings(m));
	put(o, "cpu_us", m->cpu_us);
	put(o, "memory_kb", (uint64_t)m->memory_kb);
}

static json_t *rate(const struct rate *r)
{
	if (!r->interval_us)
		return json_null();
	return json_pack(
		"{s:I,s:i}", "interval_us", (json_int_t)r->interval_us, "burst", (int)r->burst);
}

static json_t *words(const char *const *list)
{
	json_t *array = json_array();

	for (; list && *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

static void put_configured(json_t *o, const struct service *s)
{
	put_text(o, "place", s->place);
	put_text(o, "program", s->program);
	json_object_set_new(o, "argv", words(s->argv));
	put_text(o, "user", s->identity.user);
	put_text(o, "directory", s->directory);
	put_text(o, "chroot", s->chroot);
	put(o, "queue", s->queue);
	json_object_set_new(o, "reject_when_full", json_boolean(s->reject_when_full));
	put(o, "max_per_source", s->max_per_source);
	json_object_set_new(o, "rate", rate(&s->rate));
	json_object_set_new(o, "rate_per_source", rate(&s->rate_per_source));
	put(o, "timeout_ms", s->timeout_ms);
	put(o, "idle_timeout_ms", s->idle_timeout_ms);
	put(o, "kill_grace_ms", s->kill_grace_ms);
	put(o, "rules", s->access.acl ? acl_count(s->access.acl) : 0);
}

json_t *view_service(const struct unit *u, bool full)
{
	const struct service *s = u->service;
	json_t *o = json_object();

	put_text(o, "name", s->name);
	put_text(o, "description", s->description);
	put_text(o, "state", state_of(u));
	json_object_set_new(o, "full", json_boolean(!TAILQ_EMPTY(&u->full)));
	json_object_set_new(o, "listen", listeners(u, full ? SIZE_MAX : ADDRESSES_SHOWN));
	put(o, "listeners", u->listeners_count);
	put(o, "max_connections", s->max_connections);
	put(o, "live", u->live);
	put(o, "waiting", u->waiting);
	put(o, "lingering", u->lingering);
	put(o, "arrived", u->arrived);
	put(o, "accepted", u->accepted);
	put(o, "closed", u->closed);
	json_object_set_new(o, "refused", refusals(u));
	put(o, "refused_late", u->refused_late);
	put_metrics(o, &u->metrics);
	if (full)
		put_configured(o, s);
	return o;
}

/* ---- connections */

static json_t *connection(const struct conn *c, const char *state, uint64_t now_us)
{
	char peer[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX];
	json_t *o = json_object();

	put(o, "conn", c->id);
	put_text(o, "service", c->service->name);
	/* A process of mode wait has none, it has them all. */
	put_text(o, "peer", c->ends.remote.len ? addr_format(&c->ends.remote, peer) : NULL);
	if (c->ends.local.len)
		put_text(o, "local", addr_format(&c->ends.local, local));
	put_text(o, "state", state);
	put(o, "age_ms", (now_us - c->arrived_us) / 1000);
	put(o, "generation", c->config->generation);
	if (c->pid)
		put(o, "pid", (uint64_t)c->pid);
	return o;
}

struct viewing {
	json_t *list;
	uint64_t now_us;
};

static void add_waiting(const struct conn *c, void *context)
{
	struct viewing *v = context;

	json_array_append_new(v->list, connection(c, "waiting", v->now_us));
}

json_t *view_connections(const struct daemon *d, const struct unit *of)
{
	struct viewing v = { json_array(), clock_us() };
	const struct conn *c;
	const struct unit *u;

	for (c = d->conns; c; c = c->hh.next)
		if (!of || c->unit == of)
			json_array_append_new(
				v.list, connection(c, c->kill ? "stopping" : "running", v.now_us));
	TAILQ_FOREACH (u, &d->units, all)
		if (u->waiting && (!of || u == of))
			queue_each(u, add_waiting, &v);
	return v.list;
}

/* ---- bans */

static void add_ban(const struct acl_prefix *who, uint64_t left_ms, void *list)
{
	char text[ACL_TEXT_MAX];

	json_array_append_new(list, json_pack("{s:s,s:I}", "source", acl_format(who, text),
					    "left_ms", (json_int_t)left_ms));
}

json_t *view_bans(const struct daemon *d)
{
	json_t *list = json_array();

	bans_each(d, add_ban, list);
	return list;
}

json_t *view_explain(struct unit *u, const struct acl_key *key)
{
	struct explanation e = explain(u, key);
	char rule[ACL_TEXT_MAX];
	json_t *o = json_object();

	put_text(o, "service", u->service->name);
	json_object_set_new(o, "admitted", json_boolean(e.reason == ADMITTED));
	if (e.reason != ADMITTED)
		put_text(o, "reason", reason_name(e.reason));
	if (e.has_rule)
		put_text(o, "rule", acl_format(&e.rule, rule));
	if (e.waits)
		json_object_set_new(o, "waits", json_true());
	if (e.again_ms)
		put(o, "again_ms", e.again_ms);
	put(o, "live", e.live);
	put(o, "refused", e.refused);
	put_text(o, "state", state_of(u));
	return o;
}
