#include "daemon/run/tour.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static void tell(const struct conn *c, const char *call)
{
	struct log_line l;

	log_begin(&l, LOG_TOUR, "tour");
	if (c)
		log_num(&l, "conn", (int64_t)c->id);
	log_text(&l, "call", call);
	log_end(&l);
}

void tour_accept(const struct conn *c, int listener_fd, int fd)
{
	char peer[ADDR_TEXT_MAX], call[256];

	if (!log_on(LOG_TOUR))
		return;
	snprintf(call, sizeof call, "accept4(%d) = %d from %s: the connection is descriptor %d",
		listener_fd, fd, addr_format(&c->ends.remote, peer), fd);
	tell(c, call);
}

void tour_started(const struct conn *c)
{
	char call[256];

	if (!log_on(LOG_TOUR))
		return;
	if (c->capture) {
		snprintf(call, sizeof call, "pipe2() = %d: its stderr comes back through it",
			c->plan.error);
		tell(c, call);
	}
	snprintf(call, sizeof call, "fork() = %d, done as %s", (int)c->pid,
		start_describe(c->unit->daemon->starter));
	tell(c, call);
	/* Else it follows once the child has its own table. */
	if (c->plan.share_files)
		return;
	snprintf(call, sizeof call, "close(%d): the connection is the handler's now",
		c->plan.connection);
	tell(c, call);
}

static void format_exec(const struct plan *p, char *text, size_t size)
{
	const struct service *s = p->service;
	size_t n = 0, vars = 0;

	while (p->envp[vars])
		vars++;
	n += (size_t)snprintf(text, size, "execve(\"%s\", [", s->program);
	for (size_t i = 0; s->argv[i] && n < size; i++)
		n += (size_t)snprintf(text + n, size - n, "%s\"%s\"", i ? ", " : "", s->argv[i]);
	if (n < size)
		snprintf(text + n, size - n, "], %zu variables)", vars);
}

/* What is between the parentheses. */
static void format_arguments(const struct plan *p, enum step step, char *text, size_t size)
{
	const struct service *s = p->service;

	switch (step) {
	case STEP_STDIN:
		snprintf(text, size, "%d, 0", p->connection);
		break;
	case STEP_STDOUT:
		snprintf(text, size, "%d, 1", p->connection);
		break;
	case STEP_ADMIT:
		snprintf(text, size, "%d, %d", p->admit, PLAN_ADMIT_FD);
		break;
	case STEP_REPORT:
		snprintf(text, size, "%d, %d, O_CLOEXEC", STEPS_REPORT_FD,
			STEPS_REPORT_FD + p->listeners_count);
		break;
	case STEP_LISTEN:
		snprintf(text, size, "%d listening sockets, %d to %d", p->listeners_count,
			PLAN_LISTEN_FD, PLAN_LISTEN_FD + p->listeners_count - 1);
		break;
	case STEP_STDERR:
		snprintf(text, size, "%d, 2", p->error);
		break;
	case STEP_FILES:
		snprintf(text, size, "CLOSE_RANGE_UNSHARE: own descriptors from here on");
		break;
	case STEP_PRUNE:
		snprintf(text, size, "%d, ~0", STEPS_REPORT_FD + p->listeners_count + 1);
		break;
	case STEP_NOFILE:
		snprintf(text, size, "RLIMIT_NOFILE, %ju", (uintmax_t)p->host->nofile.rlim_cur);
		break;
	case STEP_LIMITS:
		snprintf(text, size, "%zu limits", s->limits_count);
		break;
	case STEP_NICE:
		snprintf(text, size, "%d", s->nice);
		break;
	case STEP_UMASK:
		snprintf(text, size, "%03o", (unsigned)s->umask);
		break;
	case STEP_CHROOT:
		snprintf(text, size, "\"%s\"", s->chroot);
		break;
	case STEP_ROOT:
		snprintf(text, size, "\"/\"");
		break;
	case STEP_DIRECTORY:
		snprintf(text, size, "\"%s\"", s->directory);
		break;
	case STEP_GROUPS:
		snprintf(text, size, "%zu groups", s->identity.groups_count);
		break;
	case STEP_GID:
		snprintf(text, size, "%u", (unsigned)s->identity.gid);
		break;
	case STEP_UID:
		snprintf(text, size, "%u", (unsigned)s->identity.uid);
		break;
	case STEP_NO_NEW_PRIVS:
		snprintf(text, size, "PR_SET_NO_NEW_PRIVS");
		break;
	case STEP_SIGNALS:
		snprintf(text, size, "nothing blocked");
		break;
	case STEP_SESSION:
	case STEP_EXEC:
	case STEP_COUNT:
		*text = '\0';
		break;
	}
}

void tour_step(const struct conn *c, const struct report *r)
{
	char arguments[512] = "", call[1024];
	enum step step = (enum step)r->step;

	if (!log_on(LOG_TOUR))
		return;
	if (c && step == STEP_EXEC)
		format_exec(&c->plan, arguments, sizeof arguments);
	else if (c)
		format_arguments(&c->plan, step, arguments, sizeof arguments);
	if (r->result < 0)
		snprintf(call, sizeof call, "[%d] %s(%s) = %s", (int)r->pid, plan_step_name(step),
			arguments, strerrorname_np(-r->result));
	else if (step == STEP_EXEC)
		snprintf(call, sizeof call, "[%d] %s", (int)r->pid, arguments);
	else
		snprintf(call, sizeof call, "[%d] %s(%s) = %d", (int)r->pid, plan_step_name(step),
			arguments, (int)r->result);
	tell(c, call);
}

void tour_reaped(const struct conn *c, int wait_status)
{
	char call[128];

	if (!log_on(LOG_TOUR))
		return;
	if (WIFSIGNALED(wait_status))
		snprintf(call, sizeof call, "wait4() = %d: signal %s", (int)c->pid,
			sigabbrev_np(WTERMSIG(wait_status)));
	else
		snprintf(call, sizeof call, "wait4() = %d: exit %d", (int)c->pid,
			WEXITSTATUS(wait_status));
	tell(c, call);
}
