#include "daemon/os/steps.h"

#include "daemon/base/fd.h"
#include "daemon/os/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Descriptors for which the kernel has room without allocating; fewer cost the same. */
#define KERNEL_TABLE 64

/* Every function here runs in the child, on a stack that sanitizers do not know. */
#define CHILD __attribute__((no_sanitize("address", "undefined")))

/* A private table, cut off behind the last descriptor we need: the copy is as small as the
 * connection's number, however many ports and connections superd holds. */
CHILD static long step_files(const struct plan *p)
{
	int last = KERNEL_TABLE - 1;

	if (p->connection > last)
		last = p->connection;
	if (p->error > last)
		last = p->error;
	if (p->admit > last)
		last = p->admit;
	for (int i = 0; i < p->listeners_count; i++)
		if (p->listeners[i] > last)
			last = p->listeners[i];
	return raw_call(SYS_close_range, last + 1, ~0U, CLOSE_RANGE_UNSHARE, 0, 0);
}

CHILD static long step_session(const struct plan *p)
{
	(void)p;
	return raw_call(SYS_setsid, 0, 0, 0, 0, 0);
}

/* superd holds 0, 1 and 2 open from its start, so the connection is never one of them, and
 * dup2 always makes a copy without close-on-exec (H15). */
CHILD static long copy(int from, int to)
{
#ifdef SYS_dup2
	return raw_call(SYS_dup2, from, to, 0, 0, 0);
#else
	return raw_call(SYS_dup3, from, to, 0, 0, 0);
#endif
}

CHILD static long step_stdin(const struct plan *p)
{
	return copy(p->connection, 0);
}

CHILD static long step_stdout(const struct plan *p)
{
	return copy(p->connection, 1);
}

CHILD static long step_stderr(const struct plan *p)
{
	return copy(p->error, 2);
}

CHILD static long step_admit(const struct plan *p)
{
	return copy(p->admit, PLAN_ADMIT_FD);
}

CHILD static int report_fd(const struct plan *p)
{
	return STEPS_REPORT_FD + p->listeners_count;
}

/* A socket must not stand where another one or the report pipe is to be.  What is behind them all
 * goes first, or a table that is full had no room for it. */
CHILD static long clear_numbers(const struct plan *p)
{
	int last = report_fd(p);

	for (int i = 0; i < p->listeners_count; i++)
		if (p->listeners[i] > last)
			last = p->listeners[i];
	raw_call(SYS_close_range, last + 1, ~0U, 0, 0, 0);
	for (int i = 0; i < p->listeners_count; i++) {
		long r = p->listeners[i];

		if (r > report_fd(p))
			continue;
		r = raw_call(SYS_fcntl, r, F_DUPFD_CLOEXEC, report_fd(p) + 1, 0, 0);
		if (r < 0)
			return r;
		p->listeners[i] = (int)r;
	}
	return 0;
}

CHILD static long step_report(const struct plan *p)
{
	long r = clear_numbers(p);

	return r < 0 ? r : raw_call(SYS_dup3, STEPS_REPORT_FD, report_fd(p), O_CLOEXEC, 0, 0);
}

/* The number is known here only; and nobody but this child reads the text. */
CHILD static void write_pid(char *text)
{
	long pid = raw_call(SYS_getpid, 0, 0, 0, 0, 0);
	int digits = 1;

	for (long rest = pid; rest >= 10; rest /= 10)
		digits++;
	text[digits] = '\0';
	for (; digits; pid /= 10)
		text[--digits] = (char)('0' + pid % 10);
}

CHILD static long step_listen(const struct plan *p)
{
	long r = 0;

	for (int i = 0; i < p->listeners_count && r >= 0; i++)
		r = copy(p->listeners[i], PLAN_LISTEN_FD + i);
	write_pid(p->listen_pid);
	return r;
}

CHILD static long step_prune(const struct plan *p)
{
	int first = p->admit < 0 ? report_fd(p) + 1 : PLAN_ADMIT_FD + 1;

	return raw_call(SYS_close_range, first, ~0U, 0, 0, 0);
}

CHILD static long set_limit(int resource, const struct rlimit *r)
{
	_Static_assert(sizeof *r == 2 * sizeof(uint64_t), "compile with _FILE_OFFSET_BITS=64");

	return raw_call(SYS_prlimit64, 0, resource, (long)r, 0, 0);
}

CHILD static long step_nofile(const struct plan *p)
{
	return set_limit(RLIMIT_NOFILE, &p->host->nofile);
}

CHILD static long step_limits(const struct plan *p)
{
	const struct service *s = p->service;

	for (size_t i = 0; i < s->limits_count; i++) {
		long r = set_limit(s->limits[i].resource, &s->limits[i].value);

		if (r < 0)
			return r;
	}
	return 0;
}

CHILD static long step_nice(const struct plan *p)
{
	return raw_call(SYS_setpriority, PRIO_PROCESS, 0, p->service->nice, 0, 0);
}

CHILD static long step_umask(const struct plan *p)
{
	return raw_call(SYS_umask, (long)p->service->umask, 0, 0, 0, 0);
}

CHILD static long step_chroot(const struct plan *p)
{
	return raw_call(SYS_chroot, (long)p->service->chroot, 0, 0, 0, 0);
}

CHILD static long step_root(const struct plan *p)
{
	(void)p;
	return raw_call(SYS_chdir, (long)"/", 0, 0, 0, 0);
}

CHILD static long step_groups(const struct plan *p)
{
	const struct identity *id = &p->service->identity;

	return raw_call(RAW_SETGROUPS, (long)id->groups_count, (long)id->groups, 0, 0, 0);
}

CHILD static long step_gid(const struct plan *p)
{
	long g = (long)p->service->identity.gid;

	return raw_call(RAW_SETRESGID, g, g, g, 0, 0);
}

CHILD static long step_uid(const struct plan *p)
{
	long u = (long)p->service->identity.uid;

	return raw_call(RAW_SETRESUID, u, u, u, 0, 0);
}

CHILD static long step_directory(const struct plan *p)
{
	return raw_call(SYS_chdir, (long)p->service->directory, 0, 0, 0, 0);
}

CHILD static long step_no_new_privs(const struct plan *p)
{
	(void)p;
	return raw_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

CHILD static long step_signals(const struct plan *p)
{
	static const uint64_t none;

	(void)p;
	return raw_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, sizeof none, 0);
}

CHILD static long step_exec(const struct plan *p)
{
	const struct service *s = p->service;

	return raw_call(SYS_execve, (long)s->program, (long)s->argv, (long)p->envp, 0, 0);
}

static long (*const steps[STEP_COUNT])(const struct plan *) = {
	[STEP_SESSION] = step_session,
	[STEP_FILES] = step_files,
	[STEP_STDIN] = step_stdin,
	[STEP_STDOUT] = step_stdout,
	[STEP_STDERR] = step_stderr,
	[STEP_ADMIT] = step_admit,
	[STEP_REPORT] = step_report,
	[STEP_LISTEN] = step_listen,
	[STEP_PRUNE] = step_prune,
	[STEP_NOFILE] = step_nofile,
	[STEP_LIMITS] = step_limits,
	[STEP_NICE] = step_nice,
	[STEP_UMASK] = step_umask,
	[STEP_CHROOT] = step_chroot,
	[STEP_ROOT] = step_root,
	[STEP_GROUPS] = step_groups,
	[STEP_GID] = step_gid,
	[STEP_UID] = step_uid,
	[STEP_DIRECTORY] = step_directory,
	[STEP_NO_NEW_PRIVS] = step_no_new_privs,
	[STEP_SIGNALS] = step_signals,
	[STEP_EXEC] = step_exec,
};

CHILD static void tell(int fd, enum step step, long result)
{
	struct report r;

	r.pid = (pid_t)raw_call(SYS_getpid, 0, 0, 0, 0, 0);
	r.step = (int32_t)step;
	r.result = (int32_t)result;
	raw_call(SYS_write, fd, (long)&r, sizeof r, 0, 0);
}

CHILD void steps_walk(const struct plan *p, struct steps_hook hook)
{
	int report = STEPS_REPORT_FD;

	for (int i = 0; i < STEP_COUNT; i++) {
		long r;

		if (!(p->steps >> i & 1))
			continue;
		/* After the exec there is nobody left to tell. */
		if (p->tour && i == STEP_EXEC)
			tell(report, (enum step)i, 0);
		r = steps[i](p);
		if (i == STEP_FILES)
			hook.have_own_files(hook.context);
		if (i == STEP_REPORT && r >= 0)
			report = report_fd(p);
		if (r < 0) {
			tell(report, (enum step)i, r);
			raw_call(SYS_exit_group, r == -ENOENT ? 127 : 126, 0, 0, 0, 0);
		} else if (p->tour) {
			tell(report, (enum step)i, r);
		}
	}
	__builtin_unreachable();
}
