#include "daemon/run/handover.h"

#include "daemon/os/handed.h"
#include "daemon/run/bans.h"
#include "daemon/run/control.h"
#include "daemon/run/handover_conns.h"
#include "daemon/run/handover_values.h"
#include "daemon/run/leftover.h"
#include "daemon/run/listener.h"
#include "daemon/run/units.h"

#include <sys/mman.h>
#include <sys/stat.h>

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
	if (state && value_number(state, "handover") == HANDOVER_FORM)
		return state;
	*why = "the state of the running superd has a form that this one does not know";
	json_decref(state);
	return NULL;
}

static void take_socket(const json_t *o)
{
	struct addr a = value_addr(json_object_get(o, "addr"));
	char name[4096];

	name[value_bytes(value_text(o, "name"), name, sizeof name - 1)] = '\0';
	handed_add(name, (int)value_number(o, "number"), value_fd(o, "fd"), &a,
		value_flag(o, "usable"));
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
	return value_fd(state, "pid_fd");
}

/* ---- services */

static void fill_service(struct service *s, const json_t *o, struct arena *arena)
{
	const json_t *listeners = json_object_get(o, "listeners");
	size_t n = json_array_size(listeners);
	struct addr *list = arena_new(arena, n * sizeof *list);

	for (size_t i = 0; i < n; i++)
		list[i] = value_addr(json_object_get(json_array_get(listeners, i), "wanted"));
	s->name = arena_dup(arena, value_text(o, "name"));
	s->listen = list;
	s->listen_count = n;
	s->enabled = true;
	s->wait = value_flag(o, "wait");
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
	c->generation = value_number(state, "generation");
	return c;
}

static void restore_listener(struct unit *u, const json_t *o, const struct addr *wanted)
{
	struct listener *l = listener_new(u, wanted);

	listener_attach(l, u, wanted);
	l->fd = value_fd(o, "fd");
	if (l->fd < 0)
		return;
	l->addr = value_addr(json_object_get(o, "addr"));
	l->path.dev = (dev_t)value_number(o, "dev");
	l->path.ino = (ino_t)value_number(o, "ino");
	l->lent = value_flag(o, "lent");
	listener_restore(l);
}

static void restore_histogram(struct histogram *h, const json_t *list)
{
	for (size_t i = 0; i <= METRICS_BUCKETS; i++)
		h->in[i] = value_item(list, i);
	h->sum_us = value_item(list, METRICS_BUCKETS + 1);
}

static void restore_metrics(struct metrics *m, const json_t *o)
{
	const json_t *endings = json_object_get(o, "endings"), *each;
	size_t i;

	restore_histogram(&m->start, json_object_get(o, "start"));
	restore_histogram(&m->life, json_object_get(o, "life"));
	m->cpu_us = value_number(o, "cpu_us");
	m->memory_kb = (int64_t)value_number(o, "memory_kb");
	json_array_foreach (endings, i, each)
		metrics_restore_ending(m, (int)value_item(each, 0), value_item(each, 1));
}

static void restore_unit(struct daemon *d, const struct service *s, const json_t *o)
{
	const json_t *refused = json_object_get(o, "refused");
	const json_t *listeners = json_object_get(o, "listeners");
	struct unit *u = unit_new(d, d->config, s);

	unit_list(u);
	u->told_full = value_flag(o, "told_full");
	u->arrived = value_number(o, "arrived");
	u->accepted = value_number(o, "accepted");
	u->closed = value_number(o, "closed");
	u->refused_late = value_number(o, "refused_late");
	u->bucket.full_us = value_number(o, "bucket_us");
	for (size_t i = 0; i < REASON_COUNT; i++)
		u->refused[i] = value_item(refused, i);
	for (size_t i = 0; i < s->listen_count; i++)
		restore_listener(u, json_array_get(listeners, i), &s->listen[i]);
	restore_metrics(&u->metrics, json_object_get(o, "metrics"));
	if (value_flag(o, "removed"))
		unit_remove(u);
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
	struct acl_prefix who = value_prefix(json_object_get(o, "who"));

	bans_restore(d, &who, value_number(o, "left_ms"));
}

static void restore_leftover(struct daemon *d, const json_t *o)
{
	leftover_watch(d, (pid_t)value_item(o, 0), value_item(o, 1));
}

void handover_restore(struct daemon *d, const json_t *state)
{
	const json_t *units = json_object_get(state, "units");
	const json_t *nofile = json_object_get(state, "nofile");

	d->started_ms = value_number(state, "started_ms");
	d->next_conn = value_number(state, "next_conn");
	d->host.nofile_raised = json_is_array(nofile);
	if (d->host.nofile_raised) {
		d->host.nofile.rlim_cur = (rlim_t)value_item(nofile, 0);
		d->host.nofile.rlim_max = (rlim_t)value_item(nofile, 1);
	}
	for (size_t i = 0; i < d->config->services_count; i++)
		restore_unit(d, &d->config->services[i], json_array_get(units, i));
	each(d, state, "live", handover_restore_live);
	each(d, state, "lingering", handover_restore_lingering);
	each(d, state, "captures", handover_restore_capture);
	each(d, state, "bans", restore_ban);
	each(d, state, "leftovers", restore_leftover);
	control_restore(d->control, json_object_get(state, "control"));
}
