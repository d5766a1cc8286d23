#include "daemon/run/launch.h"

#include "daemon/base/fd.h"
#include "daemon/run/admit.h"
#include "daemon/run/capture.h"
#include "daemon/run/conns.h"
#include "daemon/run/deadline.h"
#include "daemon/run/declare.h"
#include "daemon/run/listener.h"
#include "daemon/run/queue.h"
#include "daemon/run/refuse.h"
#include "daemon/run/reserve.h"
#include "daemon/run/room.h"
#include "daemon/run/tour.h"
#include "daemon/run/wait.h"
#include "daemon/run/young.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Descriptors that a start opens after the accept, if need be in place of those of the reserve. */
static size_t opened_later(const struct unit *u)
{
	const struct service *s = u->service;

	return (s->stderr_to == STDERR_NULL || s->stderr_to == STDERR_FILE) +
	       conn_keeps_copy(s, u->config) + (s->proxied ? 2 : 0);
}

int launch_prepare(struct unit *u, bool from_reserve)
{
	struct daemon *d = u->daemon;
	size_t later = opened_later(u);

	if (u->service->stderr_to == STDERR_LOG && capture_prepare(d) < 0)
		return -1;
	if (from_reserve || d->reserve_count >= later)
		return 0;
	reserve_fill(d);
	if (d->reserve_count >= later)
		return 0;
	errno = EMFILE;
	return -1;
}

static int open_file(struct daemon *d, const char *path, int flags)
{
	int fd = open(path, flags, 0640);

	if (fd < 0 && errno == EMFILE && reserve_release(d))
		fd = open(path, flags, 0640);
	return fd;
}

/* What becomes the handler's fd 2.  -1 with errno if it cannot be opened. */
static int open_stderr(struct conn *c, int connection)
{
	const struct service *s = c->service;
	struct daemon *d = c->unit->daemon;
	int fd = -1;

	switch (s->stderr_to) {
	case STDERR_LOG:
		/* There is one, unless it waited while a reload changed `stderr`. */
		if (capture_prepare(d) < 0)
			return -1;
		c->capture = capture_take(d, c, &fd);
		return fd;
	case STDERR_SOCKET:
		return connection;
	case STDERR_NULL:
		return open_file(d, "/dev/null", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	case STDERR_FILE:
		/* Anew for each connection: logrotate needs no signal.  A fifo nobody reads must
		 * not hold up the loop. */
		fd = open_file(d, s->stderr_path,
			O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
				O_CLOEXEC);
		if (fd >= 0)
			fcntl(fd, F_SETFL, O_APPEND);
		return fd;
	}
	return -1;
}

/* Asks the kernel only for what the listener does not know already. */
static void find_ends(const struct listener *l, int fd, const struct addr *peer, struct ends *e)
{
	const struct addr *a = &l->addr;
	bool any = addr_is_any(a) || a->kind == ADDR_VSOCK;

	e->credentials = false;
	e->remote = *peer;
	e->local = *a;
	addr_unmap(&e->remote);
	if (addr_is_unix(a))
		e->credentials = sock_credentials(fd, &e->pid, &e->uid, &e->gid);
	if (!any)
		return;
	e->local.len = sizeof e->local.un;
	if (getsockname(fd, &e->local.sa, &e->local.len) < 0)
		e->local.len = 0;
	else
		addr_unmap(&e->local);
}

bool launch_many_files(const struct daemon *d)
{
	return d->listeners_open + d->live + d->waiting + d->orphans_count +
		       d->refused_linger.count + d->served_linger.count >=
	       START_MANY_FILES;
}

static void make_plan(struct conn *c, int error)
{
	struct unit *u = c->unit;
	struct daemon *d = u->daemon;

	c->plan.service = c->service;
	c->plan.host = &d->host;
	c->plan.envp = c->envp;
	c->plan.share_files = d->host.share_files && launch_many_files(d) &&
			      !c->handed; /* a reload could close what it is handed */
	c->plan.steps = plan_steps(c->service, &d->host, c->plan.share_files);
	c->plan.error = error;
	c->plan.tour = log_on(LOG_TOUR);
}

static void tell_failed(const struct conn *c, const char *call, int error)
{
	struct log_line l;

	log_begin(&l, LOG_ERROR, "exec-failed");
	log_str(&l, "service", c->service->name);
	log_num(&l, "conn", (int64_t)c->id);
	log_str(&l, "call", call);
	log_str(&l, "error", strerror(error));
	log_end(&l);
}

static int open_declaration(struct conn *c)
{
	if (declare_open(c) == 0)
		return 0;
	return errno == EMFILE && reserve_release(c->unit->daemon) ? declare_open(c) : -1;
}

/* The exit status in the ledger of a handler that never was. */
#define NOT_STARTED (126 << 8)

/* Before the process: what is opened for this one connection. */
static int open_extras(struct conn *c)
{
	int error = open_stderr(c, c->plan.connection);

	if (error < 0) {
		tell_failed(c, c->service->stderr_path, errno);
		return -1;
	}
	make_plan(c, error);
	if (c->service->proxied && open_declaration(c) < 0) {
		tell_failed(c, "socketpair", errno);
		if (error != c->plan.connection)
			close(error);
		return -1;
	}
	return 0;
}

static void close_extras(struct conn *c)
{
	if (c->plan.error != c->plan.connection)
		close(c->plan.error);
	declare_end(c);
	fd_close(&c->plan.admit);
	if (c->capture)
		capture_end(c->capture);
	c->capture = NULL;
}

/* Whoever was accepted is served, once there are processes again.  Not so a datagram, and in mode
 * "wait" the client has not been accepted. */
static bool can_wait(const struct conn *c, int why)
{
	return (why == EAGAIN || why == ENOMEM) && !c->handed && !c->peer;
}

static void wait_for_process(struct conn *c)
{
	struct arrival a;

	conn_withdraw(c);
	arrival_init(&a, c->unit, &c->ends);
	a.source = c->source;
	c->source = arrival_source(&a);
	queue_put_back(c);
}

static int no_process(struct conn *c, int why)
{
	close_extras(c);
	if (can_wait(c, why)) {
		wait_for_process(c);
		return why;
	}
	tell_failed(c, "clone", why);
	close(c->plan.connection);
	conn_close(c, NOT_STARTED, NULL);
	return why;
}

int launch(struct conn *c)
{
	struct daemon *d = c->unit->daemon;
	size_t variables;
	pid_t pid;

	conn_enter(c);
	if (open_extras(c) < 0) {
		close(c->plan.connection);
		conn_close(c, NOT_STARTED, NULL);
		return 0;
	}
	variables = env_build(c->service, c->id, &c->ends, c->env_text, c->envp);
	if (c->handed)
		wait_environ(c, variables);
	pid = start_child(d->starter, &c->plan);
	if (pid < 0)
		return no_process(c, errno);
	conn_started(c, pid);
	if (c->capture)
		capture_begin(c->capture, pid);
	young_begin(c);
	deadline_begin(c);
	declare_begin(c);
	tour_started(c);
	return 0;
}

/* Whose declarations are believed was asked; who the client is will be asked once it is
 * declared (declare.h). */
static enum reason admit_first(struct arrival *a)
{
	if (!a->unit->service->proxied)
		return admit(a);
	if (!admit_proxy(a))
		return REASON_PROXY;
	return a->unit->service->reject_when_full && !admit_place(a->unit) ? REASON_FULL : ADMITTED;
}

int launch_arrival(struct listener *l, int fd, const struct addr *peer)
{
	struct unit *u = l->unit;
	struct arrival a;
	struct conn *c;
	struct ends e;
	enum reason reason;

	find_ends(l, fd, peer, &e);
	u->arrived++;
	arrival_init(&a, u, &e);
	reason = admit_first(&a);
	if (reason != ADMITTED) {
		admit_refused(&a, reason, &e.remote);
		refuse(u, fd);
		return 0;
	}
	c = conn_new(u, fd, &e);
	tour_accept(c, l->fd, fd);
	if (u->waiting || !admit_place(u)) {
		if (!admit_place(u))
			room_tell_full(u);
		c->source = arrival_source(&a);
		queue_add(c);
		return 0;
	}
	c->source = a.source;
	return launch(c);
}
