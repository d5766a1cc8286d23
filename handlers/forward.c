/*
 * forward: relays connections to another address, and starts the program behind it on demand.
 *
 * Started with a connection on 0 and 1, it relays that one.  Started with a listening socket on 0
 * it accepts, and relays all connections in this one process; and if it is told of a program that
 * serves the address, then that is started for the first client and stopped when the last has been
 * gone for a while.  Clients that come before the program answers wait here: it is started once,
 * and asked by one of them at a time, until one is let in.
 *
 * How far each client has come is common/passages.h's; here is who is accepted, the program behind,
 * and the time.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handlers/common/backend.h"
#include "handlers/common/complaint.h"
#include "handlers/common/duration.h"
#include "handlers/common/handed.h"
#include "handlers/common/io.h"
#include "handlers/common/passages.h"
#include "handlers/common/signals.h"
#include "handlers/common/target.h"

enum { EXIT_USAGE = 100, EXIT_SYSTEM = 111 };
enum {
	BATCH = 16,               /* accepts and events a turn */
	CONNECTIONS_MAX = 100000, /* that can be asked for */
	DESCRIPTORS = 6,          /* of a connection: two sockets, two pipes */
	RESERVE = 32,             /* descriptors for everything else */
	TICK_MS = 20,             /* of whatever is tried again */
	PAUSE_MS = 200,           /* of accepting, when a resource has run out */
	RESTART_MS = 1000,        /* from one start of the program to the next, at least */
	DAY_MS = 24 * 3600 * 1000,
};

struct forward {
	struct passages passages;
	struct backend backend;
	uint64_t idle_ms;
	size_t connections;

	int listeners[HANDED_MAX], listeners_count, signals;
	bool paused, leaving;
	uint64_t paused_until_ms, started_ms, next_tick_ms;
};

/* ---------------------------------------------------------------- the program behind */

static void tell_status(const struct forward *f, const char *when)
{
	const char *program = f->backend.argv[0];
	int status = f->backend.status;

	if (WIFSIGNALED(status))
		dprintf(2, "forward: %s was ended by signal %d%s\n", program, WTERMSIG(status),
			when);
	else
		dprintf(2, "forward: %s ended with status %d%s\n", program, WEXITSTATUS(status),
			when);
}

static void start_backend(struct forward *f)
{
	f->passages.answers = false;
	f->started_ms = f->passages.now_ms;
	if (backend_start(&f->backend) < 0) {
		complain(&f->passages.complaint, f->passages.now_ms, "%s: %s", f->backend.argv[0],
			strerror(errno));
		passages_reset_waiting(&f->passages);
	} else {
		dprintf(2, "forward: %s started, process %d\n", f->backend.argv[0],
			(int)f->backend.group);
	}
}

/* Its connections need no care, they end by themselves. */
static void backend_ended(struct forward *f)
{
	if (f->passages.answers) {
		tell_status(f, "");
		return;
	}
	tell_status(f, " before it answered");
	passages_reset_waiting(&f->passages);
}

/* Its time is over, and nobody has let it in. */
static void give_up(struct forward *f, struct passage *p)
{
	if (!f->backend.argv || f->passages.answers) {
		passage_fail(&f->passages, p, ETIMEDOUT);
		return;
	}
	dprintf(2, "forward: %s does not answer on %s\n", f->backend.argv[0],
		f->passages.target.text);
	passages_reset_waiting(&f->passages);
	backend_stop(&f->backend, f->passages.now_ms);
}

/* ---------------------------------------------------------------- what time brings */

static void leave(struct forward *f)
{
	if (f->leaving)
		return;
	f->leaving = true;
	for (int i = 0; i < f->listeners_count; i++)
		epoll_ctl(f->passages.epoll, EPOLL_CTL_DEL, f->listeners[i], NULL);
	backend_stop(&f->backend, f->passages.now_ms);
}

static void pause_accepting(struct forward *f, bool pause)
{
	for (int i = 0; i < f->listeners_count && pause != f->paused; i++) {
		struct epoll_event event = { .events = pause ? 0 : EPOLLIN,
			.data.ptr = &f->listeners[i] };

		epoll_ctl(f->passages.epoll, EPOLL_CTL_MOD, f->listeners[i], &event);
	}
	f->paused = pause;
}

static void tick(struct forward *f)
{
	struct passages *ps = &f->passages;
	struct backend *b = &f->backend;

	backend_tick(b, ps->now_ms);
	if (b->argv && b->state == BACKEND_DOWN && ps->waiting > 0 &&
		(f->started_ms == 0 || ps->now_ms >= f->started_ms + RESTART_MS))
		start_backend(f);
	if (ps->waiting > 0) {
		bool ready = !b->argv || b->state == BACKEND_RUNNING;
		struct passage *late = passages_tick_waiting(ps, ready);

		if (late)
			give_up(f, late);
	}
	if (ps->draining > 0 || ps->timeout_ms)
		passages_tick_relaying(ps);
	if (f->paused && !f->leaving && ps->count < f->connections &&
		ps->now_ms >= f->paused_until_ms)
		pause_accepting(f, false);
	if (f->idle_ms && f->listeners_count && ps->count == 0 &&
		ps->now_ms >= ps->idle_since_ms + f->idle_ms)
		leave(f);
}

static int next_event_ms(const struct forward *f)
{
	const struct passages *ps = &f->passages;
	bool paused = f->paused && ps->count < f->connections;

	if (ps->unfinished > 0)
		return 0;
	if (ps->waiting > 0 || ps->draining > 0 || f->backend.state == BACKEND_STOPPING || paused)
		return TICK_MS;
	if (ps->timeout_ms && ps->count > 0)
		return ps->timeout_ms < 1000 ? (int)ps->timeout_ms : 1000;
	if (f->idle_ms && f->listeners_count && ps->count == 0 && !f->leaving) {
		uint64_t end = ps->idle_since_ms + f->idle_ms;

		return end > ps->now_ms ? (int)(end - ps->now_ms) : 0;
	}
	return -1;
}

/* ---------------------------------------------------------------- the loop */

static int accept_one(int listener)
{
	struct sockaddr_storage who;
	socklen_t len = sizeof(who);

	return accept4(listener, (struct sockaddr *)&who, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* A full service leaves its clients in the kernel's queue. */
static void accept_some(struct forward *f, int listener)
{
	struct passages *ps = &f->passages;

	for (int i = 0; i < BATCH && !f->paused; i++) {
		struct passage *p;
		int fd;

		if (ps->count >= f->connections) {
			pause_accepting(f, true);
			return;
		}
		fd = passages_reserve(ps) ? accept_one(listener) : -1;
		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
				      errno == ENOMEM)) {
			complain(&ps->complaint, ps->now_ms, "cannot accept: %s", strerror(errno));
			pause_accepting(f, true);
			f->paused_until_ms = ps->now_ms + PAUSE_MS;
			return;
		}
		if (fd < 0)
			return; /* nobody, or somebody who has gone again */
		if (!passages_add(ps, fd, fd, &p))
			passage_fail(ps, p, errno);
		else if (!f->backend.argv || (f->backend.state == BACKEND_RUNNING && ps->answers))
			passage_try(ps, p);
	}
}

static void read_signals(struct forward *f)
{
	for (int number; (number = signals_next(f->signals));) {
		if (number == SIGCHLD) {
			if (backend_reap(&f->backend, f->passages.now_ms) && !f->leaving)
				backend_ended(f);
			continue;
		}
		passages_reset_all(&f->passages);
		leave(f);
	}
}

static bool is_listener(const struct forward *f, const void *what)
{
	for (int i = 0; i < f->listeners_count; i++)
		if (what == &f->listeners[i])
			return true;
	return false;
}

/* What an event of epoll is about: where a listener stands, or the signals, or a passage. */
static void handle(struct forward *f, void *what)
{
	if (what == &f->signals)
		read_signals(f);
	else if (!is_listener(f, what))
		passage_event(&f->passages, what);
	else if (!f->leaving)
		accept_some(f, *(int *)what);
}

static bool is_over(const struct forward *f)
{
	const struct backend *b = &f->backend;

	if (f->listeners_count == 0)
		return f->passages.count == 0;
	/* Who survives KILL, or has left the group, is not waited for. */
	return f->leaving && f->passages.count == 0 &&
	       (b->state == BACKEND_DOWN || f->passages.now_ms > b->kill_at_ms + 1000);
}

static int serve(struct forward *f)
{
	struct passages *ps = &f->passages;
	struct epoll_event events[BATCH];

	while (!is_over(f)) {
		int n = epoll_wait(ps->epoll, events, BATCH, next_event_ms(f));

		ps->now_ms = io_now_ms();
		for (int i = 0; i < n; i++)
			handle(f, events[i].data.ptr);
		passages_go_on(ps);
		if (ps->now_ms >= f->next_tick_ms || n == 0) {
			f->next_tick_ms = ps->now_ms + TICK_MS;
			tick(f);
		}
		passages_bury(ps);
	}
	passages_fini(ps);
	return f->listeners_count ? 0 : ps->status;
}

/* ---------------------------------------------------------------- the start */

static int usage(void)
{
	fprintf(stderr, "usage: forward [-c N] [-g GRACE] [-i IDLE] [-t TIMEOUT] [-w WAIT] "
			"HOST:PORT|unix:PATH [-- PROG [ARG ...]]\n");
	return EXIT_USAGE;
}

/* As many as the descriptors suffice for. */
static void limit_connections(struct forward *f)
{
	rlim_t need = f->connections * DESCRIPTORS + RESERVE;
	struct rlimit *own = &f->backend.nofile, raised;

	if (getrlimit(RLIMIT_NOFILE, own) < 0)
		return;
	raised = *own;
	if (raised.rlim_cur < need) {
		raised.rlim_cur = need < raised.rlim_max ? need : raised.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &raised) < 0)
			raised = *own;
	}
	if (raised.rlim_cur < need)
		f->connections = raised.rlim_cur > RESERVE + DESCRIPTORS
					 ? (raised.rlim_cur - RESERVE) / DESCRIPTORS
					 : 1;
}

static bool open_loop(struct forward *f)
{
	f->passages.epoll = epoll_create1(EPOLL_CLOEXEC);
	return f->passages.epoll >= 0;
}

/* `what` is what handle() will be told. */
static bool watch(const struct forward *f, int *what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

	return epoll_ctl(f->passages.epoll, EPOLL_CTL_ADD, *what, &event) == 0;
}

static bool open_listeners(struct forward *f)
{
	f->signals = signals_open();
	if (f->signals < 0 || !open_loop(f) || !watch(f, &f->signals))
		return false;
	for (int i = 0; i < f->listeners_count; i++)
		if (!watch(f, &f->listeners[i]))
			return false;
	return true;
}

static int serve_listeners(struct forward *f)
{
	limit_connections(f);
	if (!open_listeners(f)) {
		fprintf(stderr, "forward: %s\n", strerror(errno));
		return EXIT_SYSTEM;
	}
	backend_adopt();
	return serve(f);
}

static int serve_one(struct forward *f)
{
	struct passages *ps = &f->passages;
	struct passage *p;

	for (int fd = 0; fd < 2; fd++) {
		struct pollfd one = { .fd = fd };
		socklen_t len = sizeof(int);
		int type = 0;

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
			continue;
		if (type != SOCK_STREAM || poll(&one, 1, 0) < 0) {
			fprintf(stderr, "forward: %d is no stream\n", fd);
			return EXIT_SYSTEM;
		}
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	}
	if (!open_loop(f) || !passages_reserve(ps) || !passages_add(ps, 0, 1, &p)) {
		fprintf(stderr, "forward: %s\n", strerror(errno));
		return EXIT_SYSTEM;
	}
	passage_try(ps, p);
	return serve(f);
}

static bool read_option(struct forward *f, int opt)
{
	char *end;
	long n;

	switch (opt) {
	case 'c':
		n = strtol(optarg, &end, 10);
		f->connections = (size_t)n;
		return *optarg && !*end && n > 0 && n <= CONNECTIONS_MAX;
	case 'g':
		return duration_parse(optarg, DAY_MS, &f->backend.grace_ms);
	case 'i':
		return duration_parse(optarg, DAY_MS, &f->idle_ms);
	case 't':
		return duration_parse(optarg, DAY_MS, &f->passages.timeout_ms);
	case 'w':
		return duration_parse(optarg, DAY_MS, &f->passages.wait_ms);
	}
	return false;
}

/* False: they are none. */
static bool read_arguments(struct forward *f, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "connections", required_argument, NULL, 'c' },
		{ "grace", required_argument, NULL, 'g' },
		{ "idle", required_argument, NULL, 'i' },
		{ "timeout", required_argument, NULL, 't' },
		{ "wait", required_argument, NULL, 'w' },
		{ 0 },
	};
	int opt;

	/* "+": the options end at the address. */
	while ((opt = getopt_long(argc, argv, "+c:g:i:t:w:", options, NULL)) != -1) {
		if (!read_option(f, opt))
			return false;
	}
	argv += optind;
	if (argv[0] && argv[1] && strcmp(argv[1], "--") == 0 && argv[2])
		f->backend.argv = argv + 2;
	f->passages.on_demand = f->backend.argv;
	return argv[0] && (!argv[1] || f->backend.argv);
}

int main(int argc, char *argv[])
{
	static struct forward f = { .passages = { .wait_ms = 30000,
					    .complaint.program = "forward" },
		.connections = 1000,
		.backend.grace_ms = 3000 };
	const char *why;

	if (!read_arguments(&f, argc, argv))
		return usage();
	if (target_parse(&f.passages.target, argv[optind], &why) < 0) {
		fprintf(stderr, "forward: %s: %s\n", argv[optind], why);
		return EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	f.passages.now_ms = f.passages.idle_since_ms = io_now_ms();
	f.listeners_count = handed_listeners(f.listeners);
	if (f.listeners_count < 0) {
		fprintf(stderr, "forward: what was handed over is not a listening stream socket\n");
		return EXIT_SYSTEM;
	}
	if (f.listeners_count)
		return serve_listeners(&f);
	if (f.backend.argv || f.idle_ms) {
		fprintf(stderr, "forward: --idle and PROG need a listening socket: mode wait\n");
		return EXIT_USAGE;
	}
	return serve_one(&f);
}
