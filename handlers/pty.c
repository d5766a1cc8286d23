/*
 * pty: runs a program on a terminal, and the client at the other end of it.
 *
 * To a C library a socket is no terminal: what a program prints stays in a buffer, prompts are not
 * shown, and some programs do not talk at all.  Here the program gets a terminal, a pseudo one, and
 * we carry the bytes between that and the connection.
 *
 * The terminal is not the one that a person at a keyboard expects, unless asked to be: it changes
 * no byte in either direction and echoes nothing, since the client's own terminal has done all that
 * already.  What such a terminal cannot do is to say that the input has ended; see
 * common/terminal.h.
 *
 * We lead the session, not the program: when a leader exits, the kernel hangs up the terminal, and
 * what was printed last can be lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handlers/common/duration.h"
#include "handlers/common/io.h"
#include "handlers/common/session.h"
#include "handlers/common/signals.h"
#include "handlers/common/terminal.h"

enum { EXIT_USAGE = 100, EXIT_SYSTEM = 111, EXIT_EXEC = 126, EXIT_MISSING = 127 };
enum {
	PIECE = 4096,  /* PIPE_BUF: what may be written, by hand, where poll says so */
	NUDGE_MS = 10, /* before the end of the input is said once more, at first and at most */
	NUDGE_MAX_MS = 1000,
	TICK_MS = 20, /* while somebody is being stopped */
	HOUR_MS = 3600 * 1000,
};

struct buffer {
	size_t start, len;
	char data[PIECE];
};

struct pty {
	struct terminal terminal;
	bool keep_stderr;
	uint64_t grace_ms;

	int signals;
	pid_t program;
	int status;
	bool input_ended, exited, gone, dropped, stopping;
	uint64_t kill_at_ms, nudge_at_ms, nudge_ms;
	struct buffer up, down; /* to the program, to the client */
};

static int fail(const char *what)
{
	fprintf(stderr, "pty: %s: %s\n", what, strerror(errno));
	return EXIT_SYSTEM;
}

/* ---------------------------------------------------------------- the program */

static void become(const struct pty *p, char *argv[])
{
	int log = fcntl(2, F_DUPFD_CLOEXEC, 3);
	int status;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	tcsetpgrp(p->terminal.slave, getpid()); /* SIGTTOU is still ignored */
	dup2(p->terminal.slave, 0);
	dup2(p->terminal.slave, 1);
	if (!p->keep_stderr)
		dup2(p->terminal.slave, 2);
	signals_reset();
	execvp(argv[0], argv);
	status = errno == ENOENT ? EXIT_MISSING : EXIT_EXEC;
	dprintf(log, "pty: %s: %s\n", argv[0], strerror(errno));
	_exit(status);
}

static void signal_all(const struct pty *p, int number)
{
	if (session_signal(number) < 0)
		kill(-p->program, number);
}

static void stop(struct pty *p, int number)
{
	signal_all(p, number);
	signal_all(p, SIGCONT); /* who is stopped does not hear it otherwise */
	if (!p->stopping)
		p->kill_at_ms = io_now_ms() + p->grace_ms;
	p->stopping = true;
}

/* True if nobody is left: as orphans come to us, who has no child has no descendants. */
static bool reap(struct pty *p)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == p->program) {
			p->exited = true;
			p->status = status;
		}
	}
	return pid < 0 && errno == ECHILD;
}

/* The line drops: the terminal is gone, and whoever was on it hears so. */
static void hang_up(struct pty *p)
{
	terminal_close(&p->terminal);
	if (!reap(p))
		stop(p, SIGHUP);
}

static void read_signals(struct pty *p)
{
	for (int number; (number = signals_next(p->signals));) {
		if (number == SIGCHLD)
			reap(p);
		else
			stop(p, number);
	}
}

/* ---------------------------------------------------------------- the relay */

static bool may_wait(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* 1: something came; 0: nothing yet; -1: the end, or an error. */
static int fill(struct buffer *b, int fd)
{
	ssize_t n = read(fd, b->data, sizeof(b->data));

	b->start = 0;
	b->len = n > 0 ? (size_t)n : 0;
	return n > 0 ? 1 : n < 0 && may_wait() ? 0 : -1;
}

/* So much of it has been passed on.  False: nobody takes it any more. */
static bool taken(struct buffer *b, ssize_t n)
{
	if (n >= 0) {
		b->start += (size_t)n;
		b->len -= (size_t)n;
		return true;
	}
	return may_wait();
}

static void to_program(struct pty *p)
{
	const char *data = p->up.data + p->up.start;

	/* As long as we have the terminal open ourselves, it cannot fail. */
	taken(&p->up, write(p->terminal.master, data, p->up.len));
}

/* Without waiting, and without a change to the flags of what may be somebody's terminal. */
static void to_client(struct pty *p)
{
	const char *data = p->down.data + p->down.start;
	ssize_t n = send(1, data, p->down.len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == ENOTSOCK)
		n = write(1, data, p->down.len);
	p->gone |= !taken(&p->down, n);
}

/* The client has sent all; the program is told, again and again until it ends. */
static void say_end(struct pty *p)
{
	p->nudge_ms = p->nudge_ms ? 2 * p->nudge_ms : NUDGE_MS;
	if (p->nudge_ms > NUDGE_MAX_MS)
		p->nudge_ms = NUDGE_MAX_MS;
	p->nudge_at_ms = io_now_ms() + p->nudge_ms;
	terminal_say_end(&p->terminal, p->program);
}

static int patience(const struct pty *p)
{
	uint64_t now = io_now_ms();

	if (p->stopping)
		return TICK_MS;
	if (!p->input_ended || p->up.len > 0 || p->exited)
		return -1;
	return p->nudge_at_ms > now ? (int)(p->nudge_at_ms - now) : 0;
}

static void turn(struct pty *p)
{
	short master = (short)((p->up.len > 0 ? POLLOUT : 0) | (p->down.len == 0 ? POLLIN : 0));
	struct pollfd all[] = {
		{ .fd = p->signals, .events = POLLIN },
		{ .fd = p->input_ended || p->up.len > 0 ? -1 : 0, .events = POLLIN },
		{ .fd = p->terminal.master, .events = master },
		{ .fd = 1, .events = p->down.len > 0 ? POLLOUT : 0 },
	};

	if (poll(all, sizeof(all) / sizeof(all[0]), patience(p)) < 0)
		return;
	if (all[0].revents)
		read_signals(p);
	if (all[2].revents & POLLOUT)
		to_program(p);
	if (all[2].revents & POLLIN)
		fill(&p->down, p->terminal.master);
	if (all[1].revents) {
		p->input_ended = fill(&p->up, 0) < 0;
		terminal_expect(&p->terminal, p->up.data, p->up.len);
	}
	if (all[3].revents & POLLOUT && p->down.len > 0)
		to_client(p);
	else if (all[3].revents & (POLLERR | POLLHUP))
		p->gone = true;
	if (p->input_ended && p->up.len == 0 && !p->exited && io_now_ms() >= p->nudge_at_ms)
		say_end(p);
	if (p->stopping && io_now_ms() >= p->kill_at_ms)
		signal_all(p, SIGKILL);
}

/* What the program had printed when it exited is the client's, who may take its time. */
static bool is_over(struct pty *p)
{
	if (p->gone)
		return true;
	if (!p->exited)
		return false;
	if (p->stopping && io_now_ms() >= p->kill_at_ms)
		return true;
	return p->down.len == 0 && fill(&p->down, p->terminal.master) <= 0;
}

/* Who has left for a session of its own is meant to survive, and is superd's. */
static void leave_nobody(struct pty *p)
{
	while (!reap(p) && session_signal(0) != 0) {
		struct pollfd signals = { .fd = p->signals, .events = POLLIN };

		if (io_now_ms() >= p->kill_at_ms)
			signal_all(p, SIGKILL);
		if (io_now_ms() >= p->kill_at_ms + p->grace_ms + 1000)
			return;
		if (poll(&signals, 1, TICK_MS) > 0)
			read_signals(p);
	}
}

static void relay(struct pty *p)
{
	while (!is_over(p))
		turn(p);
	p->dropped = p->gone && !p->exited;
	hang_up(p);
	leave_nobody(p);
}

/* Ends as the program did; but when the line has dropped it was we who ended it. */
static int pass_on(const struct pty *p)
{
	const struct rlimit no_core = { 0, 0 };
	int number = WTERMSIG(p->status);
	sigset_t all;

	if (p->dropped)
		return 0;
	if (!WIFSIGNALED(p->status))
		return WEXITSTATUS(p->status);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(number, SIG_DFL);
	sigfillset(&all);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	return 128 + number;
}

/* ---------------------------------------------------------------- the start */

static int run(struct pty *p, char *argv[])
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTTOU, SIG_IGN); /* we set modes while the program has the terminal */
	p->signals = signals_open();
	if (p->signals < 0)
		return fail("signalfd");
	if (!terminal_open(&p->terminal))
		return fail("no terminal");
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	p->program = fork();
	if (p->program < 0)
		return fail("fork");
	if (p->program == 0)
		become(p, argv);
	setpgid(p->program, p->program);
	relay(p);
	return pass_on(p);
}

/* Under superd we lead a session that has no terminal.  By hand we may not, and a child does. */
static bool lead_session(void)
{
	int fd;

	if (setsid() >= 0)
		return true;
	fd = getsid(0) == getpid() ? open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC) : 0;
	if (fd > 0)
		close(fd);
	return fd < 0;
}

/* By hand: waits for the child that does it all. */
static int stay_behind(pid_t child)
{
	struct pty p = { .program = child };

	while (waitpid(child, &p.status, 0) < 0 && errno == EINTR)
		;
	return pass_on(&p);
}

static bool read_size(const char *text, struct winsize *size)
{
	unsigned rows, cols;
	char rest;

	if (sscanf(text, "%5ux%5u%c", &rows, &cols, &rest) != 2 || rows < 1 || cols < 1 ||
		rows > 9999 || cols > 9999)
		return false;
	size->ws_row = (unsigned short)rows;
	size->ws_col = (unsigned short)cols;
	return true;
}

static bool read_option(struct pty *p, int opt)
{
	switch (opt) {
	case 'E':
		p->keep_stderr = true;
		return true;
	case 'e':
		p->terminal.echo = true;
		return true;
	case 'g':
		return duration_parse(optarg, HOUR_MS, &p->grace_ms);
	case 'r':
		p->terminal.discipline = TERMINAL_BYTES;
		return true;
	case 's':
		return read_size(optarg, &p->terminal.size);
	case 't':
		p->terminal.discipline = TERMINAL_OWN;
		return true;
	}
	return false;
}

int main(int argc, char *argv[])
{
	static struct pty p = { .grace_ms = 3000, .terminal.size = { .ws_row = 24, .ws_col = 80 } };
	bool usable = true;
	int opt;

	/* "+": the options end at PROG, what follows is its own. */
	while (usable && (opt = getopt(argc, argv, "+Eeg:rs:t")) != -1)
		usable = read_option(&p, opt);
	if (!usable || optind == argc) {
		fprintf(stderr,
			"usage: pty [-E] [-ert] [-g GRACE] [-s ROWSxCOLS] PROG [ARG ...]\n");
		return EXIT_USAGE;
	}
	if (setenv("TERM", "dumb", 0) < 0)
		return fail("TERM");
	if (!lead_session()) {
		pid_t child = fork();

		if (child < 0)
			return fail("fork");
		if (child > 0)
			return stay_behind(child);
		prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
		setsid();
	}
	return run(&p, argv + optind);
}
