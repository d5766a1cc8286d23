#include "daemon/run/deadline.h"

#include "daemon/base/clock.h"
#include "daemon/run/idle.h"
#include "daemon/run/poll.h"

#include <errno.h>
#include <signal.h>

/* Before its setsid a child has no group of its own yet. */
static void kill_group(pid_t pid, int signal)
{
	if (kill(-pid, signal) < 0 && errno == ESRCH)
		kill(pid, signal);
}

static void on_grace_over(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	kill_group(c->pid, SIGKILL);
}

static void set_kill(struct conn *c)
{
	poll_at(&c->kill, c->unit->daemon->base, c->kill_at_ms, on_grace_over, c);
}

void deadline_end(struct conn *c)
{
	if (c->kill)
		return;
	c->kill_at_ms = clock_ms() + c->service->kill_grace_ms;
	set_kill(c);
	kill_group(c->pid, SIGTERM);
	/* One that is stopped would not hear it. */
	kill_group(c->pid, SIGCONT);
}

void deadline_expire(struct conn *c, const char *key)
{
	struct log_line l;

	if (c->kill)
		return;
	log_begin(&l, LOG_NOTICE, "timeout");
	log_str(&l, "service", c->service->name);
	log_num(&l, "conn", (int64_t)c->id);
	log_num(&l, "pid", c->pid);
	log_str(&l, "reason", key);
	log_ms(&l, "age_ms", (int64_t)(clock_us() - c->start_us));
	log_end(&l);
	deadline_end(c);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	deadline_expire(arg, "timeout");
}

static void set_timeout(struct conn *c)
{
	if (c->service->timeout_ms)
		poll_at(&c->timeout, c->unit->daemon->base,
			c->start_us / 1000 + c->service->timeout_ms, on_timeout, c);
}

void deadline_begin(struct conn *c)
{
	set_timeout(c);
	if (c->service->idle_timeout_ms)
		idle_begin(c);
}

void deadline_restore(struct conn *c)
{
	if (c->kill_at_ms)
		set_kill(c);
	else
		set_timeout(c);
}

void deadline_cancel(struct conn *c)
{
	poll_forget(&c->timeout);
	idle_end(c);
	if (c->kill)
		event_del(c->kill);
}
