#include "daemon/run/reload.h"

#include "daemon/config/load.h"
#include "daemon/model/diff.h"
#include "daemon/os/caps.h"
#include "daemon/run/control.h"
#include "daemon/run/daemon.h"
#include "daemon/run/listener.h"
#include "daemon/run/manager.h"
#include "daemon/run/reserve.h"
#include "daemon/run/room.h"
#include "daemon/run/units.h"
#include "daemon/run/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An address of the new configuration. */
struct wanted {
	const struct addr *addr;
	const struct service *service;
	struct unit *unit;         /* that of the service */
	struct listener *listener; /* NULL: not yet */
};

struct reload {
	struct daemon *d;
	struct complaints *complaints;
	struct config *config; /* the new one */
	struct unit **units;   /* by number of its service */
	struct wanted *wanted; /* in the order of the configuration */
	struct listener **had; /* all there are now */
	struct diff_item *old, *new;
	size_t had_count, wanted_count;
	size_t added, removed, opened;
	bool patient; /* what cannot be opened comes later */
};

/* ---- what can fail */

/* Relative names mean what they meant at the start; superd itself stands in "/". */
static struct config *load_again(const struct daemon_options *o, struct complaints *complaints)
{
	struct config *config = NULL;

	if (chdir(o->folder) < 0)
		complain(complaints, o->folder, 0, 0, "%s", strerror(errno));
	else
		config = load_file(o->file, o->settings, complaints);
	if (chdir("/") < 0)
		fatal("chdir /: %m");
	return config;
}

static bool read_config(struct reload *r)
{
	const struct daemon_options *o = r->d->options;

	if (r->d->phase != PHASE_SERVE)
		complain(r->complaints, "superd", 0, 0, "it is stopping");
	else if (!o->file)
		complain(r->complaints, "superd", 0, 0,
			"it was started without a file that could be read again");
	else
		r->config = load_again(o, r->complaints);
	return r->config;
}

/* What superd gave up after its start does not come back by a reload. */
static bool may(struct reload *r)
{
	struct daemon *d = r->d;
	uint64_t missing = caps_needed(r->config, d->host.root) & d->caps_before & ~caps_held();

	if (missing)
		complain(r->complaints, r->config->path, 0, 0,
			"this needs %s, which superd gave up after its start; upgrade (SIGUSR2) "
			"instead",
			caps_name(missing));
	return !missing;
}

static int by_name(const void *left, const void *right)
{
	const struct unit *const *a = left, *const *b = right;

	return strcmp((*a)->service->name, (*b)->service->name);
}

static int with_name(const void *name, const void *item)
{
	const struct unit *const *u = item;

	return strcmp(name, (*u)->service->name);
}

static struct unit **sorted_units(const struct daemon *d)
{
	struct unit **list = mem_array(d->units_count, sizeof(struct unit *)), *u;
	size_t n = 0;

	TAILQ_FOREACH (u, &d->units, all)
		list[n++] = u;
	qsort(list, n, sizeof(struct unit *), by_name);
	return list;
}

static void find_units(struct reload *r)
{
	struct unit **known = sorted_units(r->d), **found;

	r->units = mem_array(r->config->services_count, sizeof(struct unit *));
	for (size_t i = 0; i < r->config->services_count; i++) {
		const struct service *s = &r->config->services[i];

		found = bsearch(
			s->name, known, r->d->units_count, sizeof(struct unit *), with_name);
		r->units[i] = found ? *found : unit_new(r->d, r->config, s);
		r->added += !found || r->units[i]->state == UNIT_REMOVED;
	}
	free(known);
}

static void list_old(struct reload *r)
{
	struct listener *l;
	struct unit *u;

	TAILQ_FOREACH (u, &r->d->units, all)
		r->had_count += u->listeners_count;
	r->old = mem_array(r->had_count, sizeof *r->old);
	r->had = mem_array(r->had_count, sizeof(struct listener *));
	r->had_count = 0;
	TAILQ_FOREACH (u, &r->d->units, all)
		TAILQ_FOREACH (l, &u->listeners, all) {
			size_t n = r->had_count++;

			r->had[n] = l;
			r->old[n] = (struct diff_item){ l->wanted, u->service->name, n, DIFF_NONE };
		}
}

static size_t count_of(const struct service *s)
{
	return s->enabled ? s->listen_count : 0;
}

static void list_new(struct reload *r)
{
	const struct config *c = r->config;

	for (size_t i = 0; i < c->services_count; i++)
		r->wanted_count += count_of(&c->services[i]);
	r->new = mem_array(r->wanted_count, sizeof *r->new);
	r->wanted = mem_array(r->wanted_count, sizeof *r->wanted);
	r->wanted_count = 0;
	for (size_t i = 0; i < c->services_count; i++) {
		const struct service *s = &c->services[i];

		for (size_t k = 0; k < count_of(s); k++) {
			size_t n = r->wanted_count++;

			r->wanted[n] = (struct wanted){ &s->listen[k], s, r->units[i], NULL };
			r->new[n] = (struct diff_item){ &s->listen[k], s->name, n, DIFF_NONE };
		}
	}
}

/* "7000" cannot be bound while "127.0.0.1:7000" is open; it has to come after the change.  What was
 * handed over stays open even then. */
static bool in_the_way(const struct reload *r, const struct addr *addr)
{
	for (size_t i = 0; i < r->had_count; i++)
		if (r->old[i].match == DIFF_NONE && !r->old[i].addr->handed &&
			addr_clash(r->old[i].addr, addr))
			return true;
	return false;
}

static void open_one(struct reload *r, struct wanted *w)
{
	char text[ADDR_TEXT_MAX];
	const char *call;

	r->opened++;
	w->listener = listener_new(w->unit, w->addr);
	if (listener_bind(w->listener, w->service, &call) == 0)
		return;
	if (r->patient || (errno == EADDRINUSE && in_the_way(r, w->addr)))
		return;
	complain(r->complaints, w->service->place, 0, 0, "service '%s': listen: %s: %s: %s",
		w->service->name, addr_format(w->addr, text), call, strerror(errno));
}

static bool open_listeners(struct reload *r)
{
	size_t before = r->complaints->count;

	list_old(r);
	list_new(r);
	diff_pair(r->old, r->had_count, r->new, r->wanted_count);
	for (size_t i = 0; i < r->wanted_count; i++)
		if (r->new[i].match == DIFF_NONE)
			open_one(r, &r->wanted[r->new[i].index]);
	return r->complaints->count == before;
}

static bool open_needs(struct reload *r)
{
	for (size_t i = 0; i < r->config->services_count; i++) {
		const struct service *s = &r->config->services[i];
		const char *what = unit_needs(r->d, s);

		if (!what)
			continue;
		complain(r->complaints, s->place, 0, 0, "service '%s': %s: %s", s->name, what,
			strerror(errno));
		return false;
	}
	return true;
}

/* The last of what can fail, because it is done when it succeeds. */
static bool open_log(struct reload *r)
{
	const char *path = r->config->log.path;

	if (daemon_log(r->d, r->config) == 0)
		return true;
	complain(r->complaints, path ? path : "log", 0, 0, "the log cannot be opened: %s",
		strerror(errno));
	return false;
}

static bool prepare(struct reload *r)
{
	if (!read_config(r))
		return false;
	if (!may(r))
		return false;
	find_units(r);
	if (!open_listeners(r) || !open_needs(r))
		return false;
	if (!control_prepare(r->d->control, r->config, r->complaints))
		return false;
	if (open_log(r))
		return true;
	control_abandon(r->d->control);
	return false;
}

/* ---- what cannot */

static void take_listeners(struct reload *r)
{
	for (size_t i = 0; i < r->had_count; i++)
		listener_detach(r->had[i]);
	for (size_t i = 0; i < r->had_count; i++)
		if (r->old[i].match == DIFF_NONE)
			listener_free(r->had[r->old[i].index]);
		else
			r->wanted[r->old[i].match].listener = r->had[r->old[i].index];
}

/* The units in the order of the configuration; those it does not name come last. */
static void change_units(struct reload *r)
{
	struct units before = TAILQ_HEAD_INITIALIZER(before);
	struct unit *u;

	units_take(r->d, &before);
	for (size_t i = 0; i < r->config->services_count; i++) {
		u = r->units[i];
		if (u->listed)
			TAILQ_REMOVE(&before, u, all);
		unit_configure(u, r->config, &r->config->services[i]);
		unit_list(u);
	}
	while ((u = TAILQ_FIRST(&before))) {
		TAILQ_REMOVE(&before, u, all);
		r->removed += u->state != UNIT_REMOVED;
		unit_remove(u);
		unit_list(u);
	}
}

static void give_listeners(struct reload *r)
{
	for (size_t i = 0; i < r->wanted_count; i++) {
		struct wanted *w = &r->wanted[i];

		listener_attach(w->listener, w->unit, w->addr);
	}
	for (size_t i = 0; i < r->wanted_count; i++)
		listener_renew(r->wanted[i].listener);
}

static void tell_ok(const struct reload *r)
{
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "reload-ok");
	log_num(&l, "generation", (int64_t)r->config->generation);
	log_num(&l, "services", (int64_t)r->config->services_count);
	log_num(&l, "added", (int64_t)r->added);
	log_num(&l, "removed", (int64_t)r->removed);
	log_num(&l, "listeners", (int64_t)r->wanted_count);
	log_num(&l, "opened", (int64_t)r->opened);
	log_num(&l, "closed", (int64_t)(r->had_count + r->opened - r->wanted_count));
	log_end(&l);
}

static void commit(struct reload *r)
{
	struct daemon *d = r->d;
	struct config *before = d->config;

	r->config->generation = before->generation + 1;
	d->config = config_ref(r->config);
	take_listeners(r);
	change_units(r);
	give_listeners(r);
	control_commit(d->control);
	config_unref(before);
	reserve_fill(d);
	room_recheck(d);
	wait_recheck(d);
}

/* ---- both */

static void give_up(struct reload *r)
{
	for (size_t i = 0; i < r->wanted_count; i++)
		if (r->wanted[i].listener)
			listener_free(r->wanted[i].listener);
	for (size_t i = 0; r->units && i < r->config->services_count; i++)
		if (!r->units[i]->listed)
			unit_free(r->units[i]);
}

static void tell_failed(const char *line, void *context)
{
	(void)context;
	log_say(LOG_ERROR, "reload-failed", "%s", line);
}

static void tell_warning(const char *line, void *context)
{
	(void)context;
	log_say(LOG_NOTICE, "warning", "%s", line);
}

static void reload_fini(struct reload *r)
{
	config_unref(r->config);
	free(r->units);
	free(r->had);
	free(r->wanted);
	free(r->old);
	free(r->new);
}

bool reload(struct daemon *d, struct complaints *complaints)
{
	struct complaints own = { 0 };
	struct reload r = { .d = d, .complaints = complaints ? complaints : &own };
	bool done;

	manager_reloading();
	/* Where clients have taken all descriptors, the file may say that there shall be fewer. */
	reserve_release(d);
	done = prepare(&r);
	if (done) {
		commit(&r);
		tell_ok(&r);
		complaints_each(r.complaints, tell_warning, NULL);
		manager_tell_unused(d);
	} else {
		give_up(&r);
		reserve_fill(d);
		complaints_each(r.complaints, tell_failed, NULL);
	}
	d->reload_refused = !done;
	manager_ready(d);
	reload_fini(&r);
	complaints_free(&own);
	return done;
}

void reload_onto(struct daemon *d, struct config *config)
{
	struct complaints complaints = { 0 };
	struct reload r = {
		.d = d, .config = config_ref(config), .complaints = &complaints, .patient = true
	};

	find_units(&r);
	open_listeners(&r);
	open_needs(&r);
	if (!control_prepare(d->control, config, &complaints))
		control_abandon(d->control);
	complaints_each(&complaints, tell_warning, NULL);
	commit(&r);
	reload_fini(&r);
	complaints_free(&complaints);
}
