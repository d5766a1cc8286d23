#include "daemon/run/deadline.h"

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

void deadline_end(struct conn *c)
{
	uint64_t grace_ms = c->unit->service->kill_grace_ms;
	struct timeval grace = { (time_t)(grace_ms / 1000), (suseconds_t)(grace_ms % 1000 * 1000) };

	if (c->kill)
		return;
	c->kill = evtimer_new(c->unit->daemon->base, on_grace_over, c);
	event_add(c->kill, &grace);
	kill_group(c->pid, SIGTERM);
	/* One that is stopped would not hear it. */
	kill_group(c->pid, SIGCONT);
}
