#include "daemon/run/daemon.h"

#include "daemon/base/clock.h"
#include "daemon/base/fd.h"
#include "daemon/os/accounts.h"
#include "daemon/os/limits.h"
#include "daemon/run/admit.h"
#include "daemon/run/bans.h"
#include "daemon/run/capture.h"
#include "daemon/run/idle.h"
#include "daemon/run/leftover.h"
#include "daemon/run/linger.h"
#include "daemon/run/listener.h"
#include "daemon/run/reaper.h"
#include "daemon/run/reports.h"
#include "daemon/run/reserve.h"
#include "daemon/run/state.h"
#include "daemon/run/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOG_RETRY_MS 100
#define SOURCES_AT_REST 65536 /* remembered beside those with live handlers; 8 MB */

/* ---- signals
 *
 * They are blocked and read from a descriptor.  So superd has no signal handler at all, and a
 * child that still shares our memory cannot run one; and every disposition is the default, which
 * is what a handler should inherit (H14). */

/* Whatever our parent ignored.  The system call, because libc keeps two signals to itself. */
static void default_signals(void)
{
	static const char
		kernel_sigaction[64]; /* zero is SIG_DFL without flags, on every machine */

	for (int n = 1; n <= SIGRTMAX; n++)
		syscall(SYS_rt_sigaction, n, kernel_sigaction, NULL, 8);
}

static int open_signals(void)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD };
	sigset_t read_here, blocked;
	int fd;

	default_signals();
	sigemptyset(&read_here);
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		sigaddset(&read_here, ours[i]);
	blocked = read_here;
	/* A log pipe without a reader is an error of write(2), not the end. */
	sigaddset(&blocked, SIGPIPE);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	fd = signalfd(-1, &read_here, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		fatal("signalfd: %m");
	return fd_high(fd);
}

static void reopen_log(void)
{
	if (log_reopen() < 0)
		log_say(LOG_ERROR, "error", "the log cannot be reopened: %m");
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct signalfd_siginfo info;

	(void)what;
	start_after_wait(d->starter);
	while (read(fd, &info, sizeof info) == (ssize_t)sizeof info)
		switch (info.ssi_signo) {
		case SIGCHLD:
			reap(d);
			break;
		case SIGTERM:
			stop(d, "TERM");
			break;
		case SIGINT:
			stop(d, "INT");
			break;
		case SIGUSR1:
			reopen_log();
			break;
		case SIGHUP:
			log_say(LOG_NOTICE, "reload-failed",
				"reload is not built yet; the configuration is unchanged");
			break;
		}
}

/* ---- start */

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	start_woken(d->starter);
}

static void watch(struct daemon *d)
{
	d->signal_event = event_new(d->base, d->signal_fd, EV_READ | EV_PERSIST, on_signal, d);
	d->wake_event =
		event_new(d->base, start_wake_fd(d->starter), EV_READ | EV_PERSIST, on_wake, d);
	if (!d->signal_event || !d->wake_event || event_add(d->signal_event, NULL) < 0 ||
		event_add(d->wake_event, NULL) < 0)
		fatal("cannot poll: %m");
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

static void make_units(struct daemon *d)
{
	d->units = mem_array(d->config->services_count, sizeof *d->units);
	for (size_t i = 0; i < d->config->services_count; i++) {
		const struct service *s = &d->config->services[i];
		struct unit *u = &d->units[d->units_count];

		if (!s->enabled)
			continue;
		u->daemon = d;
		u->service = s;
		if (s->idle_timeout_ms)
			idle_open(d);
		u->number = (uint32_t)d->units_count;
		u->steps[0] = plan_steps(s, &d->host, false);
		u->steps[1] = plan_steps(s, &d->host, true);
		TAILQ_INIT(&u->full);
		TAILQ_INIT(&u->fresh);
		TAILQ_INIT(&u->rounds);
		d->units_count++;
	}
}

/* `service address` a line, then the end: whoever started us may go on. */
static void write_ready(const struct daemon *d, int fd)
{
	FILE *out = fdopen(fd, "w");
	char text[ADDR_TEXT_MAX];

	if (!out)
		return;
	for (size_t i = 0; i < d->units_count; i++) {
		const struct unit *u = &d->units[i];

		for (size_t k = 0; k < u->listeners_count; k++)
			if (u->listeners[k].fd >= 0)
				fprintf(out, "%s %s\n", u->service->name,
					addr_format(&u->listeners[k].addr, text));
	}
	if (fclose(out) != 0)
		log_say(LOG_ERROR, "error", "the ready descriptor: %m");
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

static void open_listeners(struct daemon *d, int ready_fd)
{
	size_t open = 0, wanted = 0;
	struct log_line l;

	for (size_t i = 0; i < d->units_count; i++) {
		open += listeners_open(&d->units[i]);
		wanted += d->units[i].listeners_count;
	}
	if (!open)
		fatal("no address could be opened, nothing to serve");
	reserve_fill(d);
	log_begin(&l, LOG_NOTICE, "ready");
	log_num(&l, "services", (int64_t)d->units_count);
	log_num(&l, "listeners", (int64_t)open);
	if (open < wanted)
		log_num(&l, "missing", (int64_t)(wanted - open));
	log_end(&l);
	log_flush();
	if (ready_fd >= 0)
		write_ready(d, ready_fd);
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
	const struct timeval soon = clock_span(LOG_RETRY_MS);

	if (!log_flush() && !evtimer_pending(d->log_timer, NULL))
		event_add(d->log_timer, &soon);
	start_before_wait(d->starter);
}

static void loop(struct daemon *d)
{
	d->log_timer = evtimer_new(d->base, on_log_timer, NULL);
	if (!d->log_timer)
		fatal("cannot make a timer: %m");
	while (!d->done) {
		before_wait(d);
		if (event_base_loop(d->base, EVLOOP_ONCE) < 0)
			fatal("cannot wait for events: %m");
		start_after_wait(d->starter);
		stop_check(d);
	}
}

/* The sums of a service, where anything came: arrived is accepted and refused. */
static void tell_ledger(const struct unit *u)
{
	struct log_line l;

	if (!u->arrived)
		return;
	log_begin(&l, LOG_NOTICE, "ledger");
	log_str(&l, "service", u->service->name);
	log_num(&l, "arrived", (int64_t)u->arrived);
	log_num(&l, "accepted", (int64_t)u->accepted);
	log_num(&l, "closed", (int64_t)u->closed);
	log_num(&l, "live", u->live + u->lingering);
	log_num(&l, "waiting", u->waiting);
	for (enum reason r = ADMITTED + 1; r < REASON_COUNT; r++)
		if (u->refused[r])
			log_num(&l, reason_name(r), (int64_t)u->refused[r]);
	if (u->refused_late)
		log_num(&l, "refused_late", (int64_t)u->refused_late);
	log_end(&l);
}

static void free_event(struct event *e)
{
	if (e)
		event_free(e);
}

static void daemon_free(struct daemon *d)
{
	for (size_t i = 0; i < d->units_count; i++)
		listeners_close(&d->units[i]);
	captures_free(d);
	bans_free(d);
	sources_free(d->sources);
	fd_close(&d->netlink);
	free((gid_t *)d->host.identity.groups);
	reports_free(d);
	reserve_release(d);
	leftovers_free(d);
	free_event(d->shortage_timer);
	free_event(d->phase_timer);
	free_event(d->log_timer);
	free_event(d->signal_event);
	free_event(d->wake_event);
	event_base_free(d->base);
	start_free(d->starter);
	fd_close(&d->signal_fd);
	free(d->units);
	config_free(d->config);
}

static void set_log(const struct config *config, unsigned verbose)
{
	struct log_options o = config->log;
	unsigned level = (unsigned)o.level + verbose;

	o.level = level > LOG_TOUR ? LOG_TOUR : (enum log_level)level;
	if (log_open(&o) < 0)
		fatal("cannot open the log%s%s: %m", o.path ? " " : "", o.path ? o.path : "");
}

int daemon_run(struct config *config, const struct daemon_options *options)
{
	struct daemon d = { .config = config };
	/* Out of the way of the two fixed numbers that start_new takes. */
	int ready_fd = options->ready_fd < 0
			       ? -1
			       : fcntl(options->ready_fd, F_DUPFD_CLOEXEC, STEPS_WAKE_FD + 1);

	if (options->ready_fd >= 0 && ready_fd < 0)
		fatal("--ready-fd %d: %m", options->ready_fd);
	fd_close(&(int){ options->ready_fd });
	/* It may have been 1, as in a shell's `superd --ready-fd 1 | …`. */
	fd_sanitize();
	d.starter = start_new(geteuid() == 0);
	set_log(config, options->verbose);
	find_host(&d.host, d.starter);
	if (chdir("/") < 0)
		fatal("chdir /: %m");
	TAILQ_INIT(&d.captures);
	TAILQ_INIT(&d.young);
	TAILQ_INIT(&d.full);
	TAILQ_INIT(&d.shortage);
	TAILQ_INIT(&d.lingers);
	d.netlink = -1;
	d.sources = make_sources();
	d.signal_fd = open_signals();
	leftover_adopt();
	d.base = base_new();
	watch(&d);
	make_units(&d);
	tell_start(&d);
	open_listeners(&d, fd_high(ready_fd));
	loop(&d);
	lingers_end(&d);
	for (size_t i = 0; i < d.units_count; i++)
		tell_ledger(&d.units[i]);
	log_say(LOG_NOTICE, "stop", "bye");
	daemon_free(&d);
	log_drain(200);
	return d.exit_code;
}
