#include "daemon/run/begin.h"

#include "daemon/os/caps.h"
#include "daemon/os/detach.h"
#include "daemon/os/pidfile.h"
#include "daemon/run/control.h"
#include "daemon/run/daemon.h"
#include "daemon/run/listener.h"
#include "daemon/run/manager.h"
#include "daemon/run/reaper.h"
#include "daemon/run/reload.h"
#include "daemon/run/reserve.h"
#include "daemon/run/units.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void make_units(struct daemon *d)
{
	const struct config *config = d->config;

	for (size_t i = 0; i < config->services_count; i++) {
		const char *what;
		struct unit *u;

		u = unit_new(d, d->config, &config->services[i]);
		unit_list(u);
		what = unit_needs(d, u->service);
		if (what)
			fatal("%s: %m", what);
	}
}

static void take_pidfile(struct daemon *d)
{
	const char *path = d->options->pid_path;
	pid_t owner;

	if (!path)
		return;
	d->pid_fd = pidfile_take(path, &owner);
	if (d->pid_fd < 0 && errno == EWOULDBLOCK)
		fatal("%s: superd runs already, as process %d", path, (int)owner);
	if (d->pid_fd < 0)
		fatal("%s: %m", path);
}

static void complain_fatal(const char *line, void *context)
{
	(void)context;
	fatal("%s", line);
}

static void open_control(struct daemon *d)
{
	struct complaints complaints = { 0 };

	d->control = control_new(d);
	if (!control_prepare(d->control, d->config, &complaints))
		complaints_each(&complaints, complain_fatal, NULL);
	control_commit(d->control);
	complaints_free(&complaints);
}

static void tell_start(const struct daemon *d)
{
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "start");
	log_str(&l, "version", SUPERD_VERSION);
	log_num(&l, "pid", getpid());
	log_str(&l, "config", d->config->path);
	log_end(&l);
}

static void open_listeners(struct daemon *d)
{
	struct unit *u;

	TAILQ_FOREACH (u, &d->units, all)
		if (u->service->enabled)
			listeners_open(u);
	if (!d->listeners_open)
		fatal("no address could be opened, nothing to serve");
	reserve_fill(d);
}

static void give_up_caps(struct daemon *d)
{
	uint64_t own = caps_of_file(d->options->pid_path) | caps_of_file(d->options->control);

	d->caps_before = caps_held();
	if (caps_keep(caps_needed(d->config, d->host.root) | own) < 0)
		log_say(LOG_ERROR, "error", "capabilities cannot be given up: %m");
}

static void tell_ready(const struct daemon *d)
{
	size_t services = 0, missing = 0;
	const struct unit *u;
	struct log_line l;

	TAILQ_FOREACH (u, &d->units, all) {
		services += u->service->enabled;
		missing += listeners_missing(u);
	}
	log_begin(&l, LOG_NOTICE, "ready");
	log_num(&l, "services", (int64_t)services);
	log_num(&l, "listeners", (int64_t)d->listeners_open);
	if (missing)
		log_num(&l, "missing", (int64_t)missing);
	log_end(&l);
	log_flush();
}

/* `service address` a line, then the end: whoever started us may go on. */
static void write_ready(const struct daemon *d, int fd)
{
	FILE *out = fdopen(fd, "w");
	const struct listener *l;
	const struct unit *u;
	char text[ADDR_TEXT_MAX];

	if (!out)
		return;
	TAILQ_FOREACH (u, &d->units, all)
		TAILQ_FOREACH (l, &u->listeners, all)
			if (l->fd >= 0)
				fprintf(out, "%s %s\n", u->service->name,
					addr_format(&l->addr, text));
	if (fclose(out) != 0)
		log_say(LOG_ERROR, "error", "the ready descriptor: %m");
}

void begin_new(struct daemon *d, int ready_fd)
{
	make_units(d);
	take_pidfile(d);
	open_control(d);
	tell_start(d);
	open_listeners(d);
	manager_tell_unused(d);
	give_up_caps(d);
	tell_ready(d);
	if (ready_fd >= 0)
		write_ready(d, ready_fd);
	if (d->detached >= 0)
		detach_done(&d->detached);
}

void begin_upgraded(struct daemon *d, struct config *config, const json_t *state)
{
	struct log_line l;

	d->control = control_new(d);
	handover_restore(d, state);
	reload_onto(d, config);
	give_up_caps(d);
	handover_restore_waiting(d, state);
	d->pid_fd = handover_pid_fd(state);
	log_begin(&l, LOG_NOTICE, "upgrade");
	log_str(&l, "from", json_string_value(json_object_get(state, "version")));
	log_str(&l, "version", SUPERD_VERSION);
	log_num(&l, "listeners", (int64_t)d->listeners_open);
	log_num(&l, "live", d->live);
	log_end(&l);
	control_upgraded(d->control, NULL);
	/* Setting SIGCHLD to its default forgot one that was pending. */
	reap_all(d);
}
