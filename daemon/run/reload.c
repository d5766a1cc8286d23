#include "daemon/run/reload.h"

#include "daemon/config/load.h"
#include "daemon/os/caps.h"
#include "daemon/run/control.h"
#include "daemon/run/daemon.h"
#include "daemon/run/exchange.h"
#include "daemon/run/manager.h"
#include "daemon/run/reserve.h"
#include "daemon/run/room.h"
#include "daemon/run/units.h"
#include "daemon/run/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reload {
	struct daemon *d;
	struct complaints *complaints;
	struct config *config; /* the new one */
	struct unit **units;   /* by number of its service */
	struct exchange listeners;
	size_t added, removed;
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

static bool open_listeners(struct reload *r)
{
	return exchange_prepare(&r->listeners, r->d, r->config, r->units, r->complaints);
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

static void tell_ok(const struct reload *r)
{
	const struct exchange *x = &r->listeners;
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "reload-ok");
	log_num(&l, "generation", (int64_t)r->config->generation);
	log_num(&l, "services", (int64_t)r->config->services_count);
	log_num(&l, "added", (int64_t)r->added);
	log_num(&l, "removed", (int64_t)r->removed);
	log_num(&l, "listeners", (int64_t)x->wanted_count);
	log_num(&l, "opened", (int64_t)x->opened);
	log_num(&l, "closed", (int64_t)(x->had_count + x->opened - x->wanted_count));
	log_end(&l);
}

static void commit(struct reload *r)
{
	struct daemon *d = r->d;
	struct config *before = d->config;

	r->config->generation = before->generation + 1;
	d->config = config_ref(r->config);
	exchange_take(&r->listeners);
	change_units(r);
	exchange_give(&r->listeners);
	control_commit(d->control);
	config_unref(before);
	reserve_fill(d);
	room_recheck(d);
	wait_recheck(d);
}

/* ---- both */

static void give_up(struct reload *r)
{
	exchange_abandon(&r->listeners);
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
	exchange_fini(&r->listeners);
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
	struct reload r = { .d = d,
		.config = config_ref(config),
		.complaints = &complaints,
		.listeners.patient = true };

	find_units(&r);
	open_listeners(&r);
	open_needs(&r);
	control_prepare(d->control, config, &complaints);
	complaints_each(&complaints, tell_warning, NULL);
	commit(&r);
	reload_fini(&r);
	complaints_free(&complaints);
}
