#include "daemon/run/signals.h"

#include "daemon/base/fd.h"
#include "daemon/run/poll.h"
#include "daemon/run/reaper.h"
#include "daemon/run/reload.h"
#include "daemon/run/stop.h"
#include "daemon/run/upgrade.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whatever our parent ignored.  The system call, because libc keeps two signals to itself. */
static void default_signals(void)
{
	static const char
		kernel_sigaction[64]; /* zero is SIG_DFL without flags, on every machine */

	for (int n = 1; n <= SIGRTMAX; n++)
		syscall(SYS_rt_sigaction, n, kernel_sigaction, NULL, 8);
}

void signals_open(struct daemon *d)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD };
	sigset_t read_here, blocked;

	default_signals();
	sigemptyset(&read_here);
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		sigaddset(&read_here, ours[i]);
	blocked = read_here;
	/* A log pipe without a reader is an error of write(2), not the end. */
	sigaddset(&blocked, SIGPIPE);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	d->signal_fd = signalfd(-1, &read_here, SFD_CLOEXEC | SFD_NONBLOCK);
	if (d->signal_fd < 0)
		fatal("signalfd: %m");
	d->signal_fd = fd_settle(d->signal_fd);
}

static void reopen_log(void)
{
	if (log_reopen() < 0)
		log_say(LOG_ERROR, "error", "the log cannot be reopened: %m");
}

static void take(struct daemon *d, const struct signalfd_siginfo *info)
{
	switch (info->ssi_signo) {
	case SIGCHLD:
		reap(d, (pid_t)info->ssi_pid);
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
	case SIGUSR2:
		upgrade(d);
		break;
	case SIGHUP:
		reload(d, NULL);
		break;
	}
}

/* One read has all that are pending.  Not until there is none: while they are taken, more children
 * end, and under load there would be no end of it (H24). */
static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct signalfd_siginfo info[8];
	ssize_t n;

	(void)what;
	start_after_wait(d->starter);
	n = read(fd, info, sizeof info);
	for (ssize_t i = 0; i < n / (ssize_t)sizeof info[0]; i++)
		take(d, &info[i]);
}

void signals_watch(struct daemon *d)
{
	poll_read(&d->signal_event, d->base, d->signal_fd, on_signal, d);
}

void signals_close(struct daemon *d)
{
	poll_forget(&d->signal_event);
	fd_close(&d->signal_fd);
}
