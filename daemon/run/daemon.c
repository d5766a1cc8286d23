#include "daemon/run/daemon.h"

#include "daemon/base/clock.h"
#include "daemon/base/fd.h"
#include "daemon/os/accounts.h"
#include "daemon/os/datagram.h"
#include "daemon/os/limits.h"
#include "daemon/os/pidfile.h"
#include "daemon/run/bans.h"
#include "daemon/run/begin.h"
#include "daemon/run/capture.h"
#include "daemon/run/control.h"
#include "daemon/run/handover.h"
#include "daemon/run/leftover.h"
#include "daemon/run/linger.h"
#include "daemon/run/manager.h"
#include "daemon/run/poll.h"
#include "daemon/run/reaper.h"
#include "daemon/run/reports.h"
#include "daemon/run/reserve.h"
#include "daemon/run/signals.h"
#include "daemon/run/state.h"
#include "daemon/run/stop.h"
#include "daemon/run/units.h"
#include "daemon/run/upgrade.h"
#include "daemon/run/young.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_RETRY_MS 100
#define SOURCES_AT_REST 65536 /* remembered beside those with live handlers; 8 MB */

/* ---- what it is made of */

static void init(struct daemon *d)
{
	TAILQ_INIT(&d->units);
	TAILQ_INIT(&d->queueing);
	TAILQ_INIT(&d->captures);
	TAILQ_INIT(&d->orphans);
	TAILQ_INIT(&d->young);
	TAILQ_INIT(&d->full);
	TAILQ_INIT(&d->shortage);
	TAILQ_INIT(&d->refused_linger.list);
	TAILQ_INIT(&d->served_linger.list);
	d->netlink = d->activity = -1;
	d->pid_fd = -1;
	d->detached = d->options->detached;
	d->started_ms = clock_ms();
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	start_woken(d->starter);
}

static void watch(struct daemon *d)
{
	poll_read(&d->wake_event, d->base, start_wake_fd(d->starter), on_wake, d);
	signals_watch(d);
	reports_watch(d);
}

static void on_libevent_says(int severity, const char *what)
{
	log_say(severity == EVENT_LOG_ERR ? LOG_ERROR : LOG_NOTICE, "error", "libevent: %s", what);
}

/* By itself libevent would exit with 1, which says that the configuration is wrong. */
static void on_libevent_fails(int code)
{
	(void)code;
	fatal("the event loop: %m");
}

static struct event_base *base_new(void)
{
	struct event_config *options = event_config_new();
	struct event_base *base = NULL;

	event_set_log_callback(on_libevent_says);
	event_set_fatal_callback(on_libevent_fails);
	if (options) {
		/* One thread, and the environment has no say in how we poll. */
		event_config_set_flag(options, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
		base = event_base_new_with_config(options);
		event_config_free(options);
	}
	if (!base)
		fatal("cannot make an event loop: %m");
	return base;
}

static void find_host(struct host *h, const struct starter *starter)
{
	h->root = geteuid() == 0;
	accounts_own(&h->identity);
	h->close_range = start_has_close_range(starter);
	h->share_files = start_can_share_files(starter);
	h->umask = 022;
	umask(h->umask);
	h->nofile_raised = limits_raise_nofile(&h->nofile);
}

/* Nobody shall know which addresses collide in the table (H34). */
static struct sources *make_sources(void)
{
	uint64_t key[2];

	if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
		fatal("no random numbers: %m");
	return sources_new(key, SOURCES_AT_REST);
}

int daemon_log(const struct daemon *d, const struct config *config)
{
	struct log_options o = config->log;
	unsigned level = (unsigned)o.level + d->options->verbose;

	o.level = level > LOG_TOUR ? LOG_TOUR : (enum log_level)level;
	if (d->options->background && o.target == LOG_STDERR)
		o.target = LOG_SYSLOG;
	return log_open(&o);
}

static void set_log(const struct daemon *d, const struct config *config)
{
	const char *path = config->log.path;

	if (daemon_log(d, config) < 0)
		fatal("cannot open the log%s%s: %m", path ? " " : "", path ? path : "");
}

/* ---- the loop */

static void on_log_timer(evutil_socket_t fd, short what, void *arg)
{
	/* Nothing: the loop flushes before it waits. */
	(void)fd;
	(void)what;
	(void)arg;
}

static void before_wait(struct daemon *d)
{
	if (!log_flush())
		poll_within(&d->log_timer, d->base, LOG_RETRY_MS, on_log_timer, NULL);
	start_before_wait(d->starter);
}

static void loop(struct daemon *d)
{
	while (!d->done) {
		before_wait(d);
		if (event_base_loop(d->base, EVLOOP_ONCE) < 0)
			fatal("cannot wait for events: %m");
		start_after_wait(d->starter);
		units_sweep(d);
		control_check(d->control);
		upgrade_check(d);
		stop_check(d);
	}
}

/* ---- the end */

static void daemon_free(struct daemon *d)
{
	struct unit *u;

	upgrade_free(d);
	control_free(d->control);
	while ((u = TAILQ_FIRST(&d->units))) {
		TAILQ_REMOVE(&d->units, u, all);
		unit_free(u);
	}
	captures_free(d);
	young_free(d);
	reaper_free(d);
	bans_free(d);
	sources_free(d->sources);
	fd_close(&d->netlink);
	fd_close(&d->activity);
	mover_free(d->mover);
	free((gid_t *)d->host.identity.groups);
	reports_free(d);
	reserve_release(d);
	leftovers_free(d);
	poll_forget(&d->shortage_timer);
	poll_forget(&d->queue_timer);
	poll_forget(&d->phase_timer);
	poll_forget(&d->log_timer);
	manager_free(d);
	poll_forget(&d->wake_event);
	event_base_free(d->base);
	start_free(d->starter);
	signals_close(d);
	config_unref(d->config);
}

/* ---- all */

static json_t *read_state(int fd)
{
	const char *why;
	json_t *state;

	if (fd < 0)
		return NULL;
	state = handover_read(fd, &why);
	if (!state)
		fatal("%s", why);
	close(fd);
	return state;
}

static int take_ready_fd(int fd)
{
	/* Out of the way of the two fixed numbers that start_new takes. */
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, STEPS_WAKE_FD + 1);

	if (fd >= 0 && copy < 0)
		fatal("--ready-fd %d: %m", fd);
	fd_close(&fd);
	/* It may have been 1, as in a shell's `superd --ready-fd 1 | …`. */
	fd_sanitize();
	return copy;
}

int daemon_run(struct config *config, const struct daemon_options *options)
{
	json_t *state = read_state(options->inherit);
	int ready_fd = take_ready_fd(options->ready_fd);
	struct daemon d = { .options = options };
	struct unit *u;

	init(&d);
	d.config = state ? handover_config(state) : config;
	d.starter = start_new(geteuid() == 0);
	set_log(&d, config);
	find_host(&d.host, d.starter);
	if (chdir("/") < 0)
		fatal("chdir /: %m");
	d.sources = make_sources();
	signals_open(&d);
	leftover_adopt();
	d.base = base_new();
	watch(&d);
	if (state)
		begin_upgraded(&d, config, state);
	else
		begin_new(&d, fd_settle(ready_fd));
	if (state)
		config_unref(config);
	json_decref(state);
	manager_ready(&d);
	manager_watch(&d);
	loop(&d);
	lingers_end(&d);
	if (d.pid_fd >= 0)
		pidfile_remove(options->pid_path, &d.pid_fd);
	TAILQ_FOREACH (u, &d.units, all)
		unit_tell_ledger(u);
	log_say(LOG_NOTICE, "stop", "bye");
	daemon_free(&d);
	log_drain(200);
	return d.exit_code;
}
