/*
 * forward: relays connections to another address, and starts the program behind it on demand.
 *
 * Started with a connection on 0 and 1, it relays that one.  Started with a listening socket on 0
 * it accepts, and relays all connections in this one process; and if it is told of a program that
 * serves the address, then that is started for the first client and stopped when the last has been
 * gone for a while.  Clients that come before the program answers wait here: it is started once,
 * and asked by one of them at a time, until one is let in.
 *
 * The bytes stay in the kernel (common/relay.h).  Everything else here is who waits for what.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handlers/common/backend.h"
#include "handlers/common/duration.h"
#include "handlers/common/handed.h"
#include "handlers/common/io.h"
#include "handlers/common/relay.h"
#include "handlers/common/target.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 100, EXIT_SYSTEM = 111 };
enum {
	BATCH = 16,               /* accepts and events a turn */
	CONNECTIONS_MAX = 100000, /* that can be asked for */
	DESCRIPTORS = 6,          /* of a connection: two sockets, two pipes */
	RESERVE = 32,             /* descriptors for everything else */
	TICK_MS = 20,             /* of whatever is tried again */
	PAUSE_MS = 200,           /* of accepting, when a resource has run out */
	RETRY_MAX_MS = 500,       /* between two attempts to connect */
	RESTART_MS = 1000,        /* from one start of the program to the next, at least */
	DRAIN_MS = 2000,          /* for a client that still sends after the server has closed */
	DAY_MS = 24 * 3600 * 1000,
};

enum kind { LISTENER, SIGNALS, CONNECTION };

/* What an event of epoll is about. */
struct watch {
	enum kind kind;
	int fd;
};

enum stage { WAITING, CONNECTING, RELAYING, DEAD };

struct conn {
	struct watch client; /* a struct watch first: the fd that is read */
	struct conn *prev, *next;
	enum stage stage;
	int client_out, server;
	size_t number; /* of the address that is tried */
	uint64_t retry_at_ms, backoff_ms, deadline_ms, drained_at_ms, active_ms;
	bool more;
	struct relay relay;
};

/* Oldest first. */
struct conns {
	struct conn *first, *last;
};

struct forward {
	struct target target;
	struct backend backend;
	uint64_t idle_ms, wait_ms, timeout_ms;
	size_t connections;

	int epoll;
	struct watch listeners[HANDED_MAX], signals;
	size_t listeners_count;
	struct conns conns, dead;
	struct conn *spare;
	size_t count, waiting, draining, unfinished;
	bool paused, answers, leaving;
	uint64_t now_ms, paused_until_ms, idle_since_ms, started_ms, next_tick_ms;
	uint64_t complained_ms;
	size_t untold;
	int status;
};

static void list_add(struct conns *list, struct conn *c)
{
	c->next = NULL;
	c->prev = list->last;
	*(c->prev ? &c->prev->next : &list->first) = c;
	list->last = c;
}

static void list_remove(struct conns *list, struct conn *c)
{
	*(c->prev ? &c->prev->next : &list->first) = c->next;
	*(c->next ? &c->next->prev : &list->last) = c->prev;
}

/* ---------------------------------------------------------------- what the log is told */

/* A line a second: a crowd of clients with one trouble is one trouble. */
static void __attribute__((format(printf, 2, 3)))
complain(struct forward *f, const char *format, ...)
{
	char line[512];
	va_list ap;

	if (f->complained_ms && f->now_ms - f->complained_ms < 1000) {
		f->untold++;
		return;
	}
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (f->untold)
		dprintf(2, "forward: %s (and %zu more before)\n", line, f->untold);
	else
		dprintf(2, "forward: %s\n", line);
	f->complained_ms = f->now_ms;
	f->untold = 0;
}

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

/* ---------------------------------------------------------------- connections */

static bool watch(struct forward *f, int fd, void *what, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = what };

	/* A file, by hand: epoll says EPERM, and it is always ready. */
	return epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EPERM ||
	       errno == EEXIST;
}

static bool watch_flow(struct forward *f, struct conn *c, int fd)
{
	return watch(f, fd, c, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

/* Its pipes are got before a client is accepted, so that nobody is accepted in vain. */
static struct conn *conn_new(void)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	if (relay_init(&c->relay) < 0) {
		int error = errno;

		free(c);
		errno = error;
		return NULL;
	}
	c->client.kind = CONNECTION;
	c->server = -1;
	return c;
}

/* Memory lasts until the batch of events is over: another may be about it. */
static void conn_end(struct forward *f, struct conn *c, bool failed)
{
	if (c->stage == DEAD)
		return;
	if (failed) {
		relay_reset(c->client.fd);
		if (c->server >= 0)
			relay_reset(c->server);
		f->status = EXIT_FAILED;
	}
	relay_close(&c->relay);
	close(c->client.fd);
	if (c->client_out != c->client.fd)
		close(c->client_out);
	if (c->server >= 0)
		close(c->server);
	f->waiting -= c->stage == WAITING || c->stage == CONNECTING;
	f->draining -= c->drained_at_ms != 0;
	f->unfinished -= c->more;
	f->count--;
	f->idle_since_ms = f->now_ms;
	c->stage = DEAD;
	list_remove(&f->conns, c);
	list_add(&f->dead, c);
}

static void conn_pump(struct forward *f, struct conn *c)
{
	enum relay_state state = relay_pump(&c->relay);
	int error = errno;

	f->unfinished -= c->more;
	c->more = state == RELAY_MORE;
	f->unfinished += c->more;
	c->active_ms = f->now_ms;
	if (state == RELAY_FAILED) {
		if (c->relay.server_failed)
			complain(f, "%s: %s", f->target.text, strerror(error));
		conn_end(f, c, true);
		/* A client that leaves is no failure of ours. */
		if (!c->relay.server_failed)
			f->status = 0;
	} else if (state == RELAY_DONE) {
		conn_end(f, c, false);
	} else if (relay_drains(&c->relay) && c->drained_at_ms == 0) {
		c->drained_at_ms = f->now_ms + DRAIN_MS;
		f->draining++;
	}
}

static void conn_fail(struct forward *f, struct conn *c, int error)
{
	complain(f, "%s: %s", f->target.text, strerror(error));
	conn_end(f, c, true);
}

static void conn_start(struct forward *f, struct conn *c)
{
	f->answers = true;
	f->waiting--;
	c->stage = RELAYING;
	target_tune(c->server);
	target_tune(c->client.fd);
	relay_connect(&c->relay, c->client.fd, c->client_out, c->server);
	conn_pump(f, c);
}

/* Every address has refused.  What our own program will answer soon is worth another try, and so
 * is what had no room for one more. */
static void conn_refused(struct forward *f, struct conn *c, int error)
{
	bool crowded = error == EAGAIN || error == EMFILE || error == ENFILE || error == ENOBUFS;

	if (!f->backend.argv && !crowded) {
		conn_fail(f, c, error);
		return;
	}
	c->stage = WAITING;
	c->number = 0;
	c->retry_at_ms = f->now_ms + c->backoff_ms;
	c->backoff_ms = 2 * c->backoff_ms < RETRY_MAX_MS ? 2 * c->backoff_ms : RETRY_MAX_MS;
}

static void conn_try(struct forward *f, struct conn *c)
{
	int error = EADDRNOTAVAIL;

	for (; c->number < f->target.count; c->number++) {
		int done;

		if (c->stage == WAITING) {
			c->server = target_connect(&f->target, c->number);
			if (c->server < 0) {
				error = errno;
				continue;
			}
			c->stage = CONNECTING;
			if (!watch_flow(f, c, c->server)) {
				conn_fail(f, c, errno);
				return;
			}
		}
		done = target_connected(c->server);
		if (done > 0)
			conn_start(f, c);
		if (done >= 0)
			return;
		error = errno;
		close(c->server);
		c->server = -1;
		c->stage = WAITING;
	}
	conn_refused(f, c, error);
}

/* Half a close is none: it may still wait for the answer.  Nor is the end of a pipe, by hand. */
static bool client_left(const struct conn *c)
{
	struct pollfd end = { .fd = c->client.fd };
	socklen_t len = sizeof(int);
	int type;

	return poll(&end, 1, 0) > 0 && end.revents & (POLLHUP | POLLERR) &&
	       getsockopt(c->client.fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
}

static void conn_event(struct forward *f, struct conn *c)
{
	if (c->stage == RELAYING)
		conn_pump(f, c);
	else if (c->stage != DEAD && client_left(c))
		conn_end(f, c, false);
	else if (c->stage == CONNECTING)
		conn_try(f, c);
}

static bool conn_add(struct forward *f, struct conn *c, int in, int out)
{
	c->client.fd = in;
	c->client_out = out;
	c->stage = WAITING;
	c->backoff_ms = TICK_MS;
	c->active_ms = f->now_ms;
	c->deadline_ms = f->now_ms + f->wait_ms;
	f->count++;
	f->waiting++;
	list_add(&f->conns, c);
	return watch_flow(f, c, in) && (out == in || watch_flow(f, c, out));
}

/* ---------------------------------------------------------------- the program behind */

static void fail_waiting(struct forward *f)
{
	struct conn *c = f->conns.first;

	while (c) {
		struct conn *next = c->next;

		if (c->stage != RELAYING)
			conn_end(f, c, true);
		c = next;
	}
}

static void start_backend(struct forward *f)
{
	f->answers = false;
	f->started_ms = f->now_ms;
	if (backend_start(&f->backend) < 0) {
		complain(f, "%s: %s", f->backend.argv[0], strerror(errno));
		fail_waiting(f);
	} else {
		dprintf(2, "forward: %s started, process %d\n", f->backend.argv[0],
			(int)f->backend.group);
	}
}

/* Its connections need no care, they end by themselves. */
static void backend_ended(struct forward *f)
{
	if (f->answers) {
		tell_status(f, "");
		return;
	}
	tell_status(f, " before it answered");
	fail_waiting(f);
}

static void give_up(struct forward *f, struct conn *first)
{
	if (!f->backend.argv || f->answers) {
		conn_fail(f, first, ETIMEDOUT);
		return;
	}
	dprintf(2, "forward: %s does not answer on %s\n", f->backend.argv[0], f->target.text);
	fail_waiting(f);
	backend_stop(&f->backend, f->now_ms);
}

/* ---------------------------------------------------------------- what time brings */

static void leave(struct forward *f)
{
	if (f->leaving)
		return;
	f->leaving = true;
	for (size_t i = 0; i < f->listeners_count; i++)
		epoll_ctl(f->epoll, EPOLL_CTL_DEL, f->listeners[i].fd, NULL);
	backend_stop(&f->backend, f->now_ms);
}

/* Until the program has answered once, the first in the line asks for all. */
static void tick_waiting(struct forward *f)
{
	bool ready = !f->backend.argv || f->backend.state == BACKEND_RUNNING;
	bool one = f->backend.argv && !f->answers;
	struct conn *c = f->conns.first;

	while (c) {
		struct conn *next = c->next;

		if (c->stage == RELAYING) {
			c = next;
			continue;
		}
		if (f->now_ms >= c->deadline_ms) {
			give_up(f, c);
			return;
		}
		if (ready && c->stage == WAITING && f->now_ms >= c->retry_at_ms)
			conn_try(f, c);
		if (one)
			return;
		c = next;
	}
}

static void tick_relaying(struct forward *f)
{
	struct conn *c = f->conns.first;

	while (c) {
		struct conn *next = c->next;

		if (c->drained_at_ms && f->now_ms >= c->drained_at_ms)
			conn_end(f, c, false);
		else if (f->timeout_ms && c->stage == RELAYING &&
			 f->now_ms - c->active_ms >= f->timeout_ms)
			conn_end(f, c, true);
		c = next;
	}
}

static void pause_accepting(struct forward *f, bool pause)
{
	for (size_t i = 0; i < f->listeners_count && pause != f->paused; i++) {
		struct epoll_event event = { .events = pause ? 0 : EPOLLIN,
			.data.ptr = &f->listeners[i] };

		epoll_ctl(f->epoll, EPOLL_CTL_MOD, f->listeners[i].fd, &event);
	}
	f->paused = pause;
}

static void tick(struct forward *f)
{
	struct backend *b = &f->backend;

	backend_tick(b, f->now_ms);
	if (b->argv && b->state == BACKEND_DOWN && f->waiting > 0 &&
		(f->started_ms == 0 || f->now_ms >= f->started_ms + RESTART_MS))
		start_backend(f);
	if (f->waiting > 0)
		tick_waiting(f);
	if (f->draining > 0 || f->timeout_ms)
		tick_relaying(f);
	if (f->paused && !f->leaving && f->count < f->connections &&
		f->now_ms >= f->paused_until_ms)
		pause_accepting(f, false);
	if (f->idle_ms && f->listeners_count && f->count == 0 &&
		f->now_ms >= f->idle_since_ms + f->idle_ms)
		leave(f);
}

static int next_event_ms(const struct forward *f)
{
	bool paused = f->paused && f->count < f->connections;

	if (f->unfinished > 0)
		return 0;
	if (f->waiting > 0 || f->draining > 0 || f->backend.state == BACKEND_STOPPING || paused)
		return TICK_MS;
	if (f->timeout_ms && f->count > 0)
		return f->timeout_ms < 1000 ? (int)f->timeout_ms : 1000;
	if (f->idle_ms && f->listeners_count && f->count == 0 && !f->leaving) {
		uint64_t end = f->idle_since_ms + f->idle_ms;

		return end > f->now_ms ? (int)(end - f->now_ms) : 0;
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
	for (int i = 0; i < BATCH && !f->paused; i++) {
		struct conn *c;
		int fd;

		if (f->count >= f->connections) {
			pause_accepting(f, true);
			return;
		}
		if (!f->spare)
			f->spare = conn_new();
		fd = f->spare ? accept_one(listener) : -1;
		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
				      errno == ENOMEM)) {
			complain(f, "cannot accept: %s", strerror(errno));
			pause_accepting(f, true);
			f->paused_until_ms = f->now_ms + PAUSE_MS;
			return;
		}
		if (fd < 0)
			return; /* nobody, or somebody who has gone again */
		c = f->spare;
		f->spare = NULL;
		if (!conn_add(f, c, fd, fd))
			conn_fail(f, c, errno);
		else if (!f->backend.argv || (f->backend.state == BACKEND_RUNNING && f->answers))
			conn_try(f, c);
	}
}

static void read_signals(struct forward *f)
{
	struct signalfd_siginfo info;

	while (read(f->signals.fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			if (backend_reap(&f->backend, f->now_ms) && !f->leaving)
				backend_ended(f);
			continue;
		}
		for (struct conn *c; (c = f->conns.first);)
			conn_end(f, c, true);
		leave(f);
	}
}

static void handle(struct forward *f, struct watch *what)
{
	switch (what->kind) {
	case LISTENER:
		if (!f->leaving)
			accept_some(f, what->fd);
		break;
	case SIGNALS:
		read_signals(f);
		break;
	case CONNECTION:
		conn_event(f, (struct conn *)what);
		break;
	}
}

static void pump_unfinished(struct forward *f)
{
	struct conn *c = f->conns.first;

	while (c) {
		struct conn *next = c->next;

		if (c->more)
			conn_pump(f, c);
		c = next;
	}
}

static void bury(struct forward *f)
{
	for (struct conn *c; (c = f->dead.first);) {
		list_remove(&f->dead, c);
		free(c);
	}
}

static bool is_over(const struct forward *f)
{
	const struct backend *b = &f->backend;

	if (f->listeners_count == 0)
		return f->count == 0;
	/* Who survives KILL, or has left the group, is not waited for. */
	return f->leaving && f->count == 0 &&
	       (b->state == BACKEND_DOWN || f->now_ms > b->kill_at_ms + 1000);
}

static int serve(struct forward *f)
{
	struct epoll_event events[BATCH];

	while (!is_over(f)) {
		int n = epoll_wait(f->epoll, events, BATCH, next_event_ms(f));

		f->now_ms = io_now_ms();
		for (int i = 0; i < n; i++)
			handle(f, events[i].data.ptr);
		if (f->unfinished > 0)
			pump_unfinished(f);
		if (f->now_ms >= f->next_tick_ms || n == 0) {
			f->next_tick_ms = f->now_ms + TICK_MS;
			tick(f);
		}
		bury(f);
	}
	if (f->spare) {
		relay_close(&f->spare->relay);
		free(f->spare);
	}
	return f->listeners_count ? 0 : f->status;
}

/* ---------------------------------------------------------------- the start */

static int usage(void)
{
	fprintf(stderr, "usage: forward [-c N] [-g GRACE] [-i IDLE] [-t TIMEOUT] [-w WAIT] "
			"HOST:PORT|unix:PATH [-- PROG [ARG ...]]\n");
	return EXIT_USAGE;
}

/* False: what is there is no listener. */
static bool find_listeners(struct forward *f)
{
	int fds[HANDED_MAX], n = handed_listeners(fds);

	for (int i = 0; i < n; i++)
		f->listeners[f->listeners_count++] = (struct watch){ LISTENER, fds[i] };
	return n >= 0;
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
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (f->epoll < 0)
		return false;
	for (size_t i = 0; i < f->listeners_count; i++) {
		if (!watch(f, f->listeners[i].fd, &f->listeners[i], EPOLLIN))
			return false;
	}
	return true;
}

static int serve_listeners(struct forward *f)
{
	static const int wanted[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP };
	sigset_t set;

	limit_connections(f);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		sigaddset(&set, wanted[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	f->signals = (struct watch){ SIGNALS, signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK) };
	if (f->signals.fd < 0 || !open_loop(f) || !watch(f, f->signals.fd, &f->signals, EPOLLIN)) {
		fprintf(stderr, "forward: %s\n", strerror(errno));
		return EXIT_SYSTEM;
	}
	backend_adopt();
	return serve(f);
}

static int serve_one(struct forward *f)
{
	struct conn *c = conn_new();

	for (int fd = 0; fd < 2; fd++) {
		struct pollfd one = { .fd = fd };
		socklen_t len = sizeof(int);
		int type = 0;

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
			continue;
		if (type != SOCK_STREAM || poll(&one, 1, 0) < 0) {
			fprintf(stderr, "forward: %d is no stream\n", fd);
			free(c);
			return EXIT_SYSTEM;
		}
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	}
	if (!c || !open_loop(f) || !conn_add(f, c, 0, 1)) {
		fprintf(stderr, "forward: %s\n", strerror(errno));
		free(c);
		return EXIT_SYSTEM;
	}
	conn_try(f, c);
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
		return duration_parse(optarg, DAY_MS, &f->timeout_ms);
	case 'w':
		return duration_parse(optarg, DAY_MS, &f->wait_ms);
	}
	return false;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "connections", required_argument, NULL, 'c' },
		{ "grace", required_argument, NULL, 'g' },
		{ "idle", required_argument, NULL, 'i' },
		{ "timeout", required_argument, NULL, 't' },
		{ "wait", required_argument, NULL, 'w' },
		{ 0 },
	};
	static struct forward f = {
		.wait_ms = 30000, .connections = 1000, .backend.grace_ms = 3000
	};
	const char *why;
	int opt;

	/* "+": the options end at the address. */
	while ((opt = getopt_long(argc, argv, "+c:g:i:t:w:", options, NULL)) != -1) {
		if (!read_option(&f, opt))
			return usage();
	}
	argv += optind;
	if (!argv[0] || (argv[1] && (strcmp(argv[1], "--") != 0 || !argv[2])))
		return usage();
	if (target_parse(&f.target, argv[0], &why) < 0) {
		fprintf(stderr, "forward: %s: %s\n", argv[0], why);
		return EXIT_USAGE;
	}
	if (argv[1])
		f.backend.argv = argv + 2;
	signal(SIGPIPE, SIG_IGN);
	f.now_ms = f.idle_since_ms = io_now_ms();
	if (!find_listeners(&f)) {
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
