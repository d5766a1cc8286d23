/*
 * pty: runs a program on a terminal, and the client at the other end of it.
 *
 * To a C library a socket is no terminal: what a program prints stays in a buffer, prompts are not
 * shown, and some programs do not talk at all.  Here the program gets a terminal, a pseudo one, and
 * we carry the bytes between that and the connection.
 *
 * The terminal is not the one that a person at a keyboard expects, unless asked to be: it changes
 * no byte in either direction and echoes nothing, since the client's own terminal has done all that
 * already.  What such a terminal cannot do is to say that the input has ended; see say_end().
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
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "handlers/common/duration.h"
#include "handlers/common/io.h"
#include "handlers/common/session.h"
#include "handlers/common/signals.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

enum { EXIT_USAGE = 100, EXIT_SYSTEM = 111, EXIT_EXEC = 126, EXIT_MISSING = 127 };
enum {
	PIECE = 4096, /* PIPE_BUF: what may be written, by hand, where poll says so */
	END_OF_FILE = 4,
	LINE_MAX_LEN = 4000, /* of 4095 that the kernel keeps; it drops the rest */
	NUDGE_MS = 10, /* before the end of the input is said once more, at first and at most */
	NUDGE_MAX_MS = 1000,
	TICK_MS = 20, /* while somebody is being stopped */
	HOUR_MS = 3600 * 1000,
};

enum discipline { LINES, BYTES, TERMINAL };

struct buffer {
	size_t start, len;
	char data[PIECE];
};

struct pty {
	enum discipline discipline;
	bool echo, keep_stderr;
	struct winsize size;
	uint64_t grace_ms;

	int master, slave, signals;
	struct termios modes; /* as we set them */
	pid_t program;
	int status;
	bool input_ended, exited, gone, dropped, stopping;
	uint64_t kill_at_ms, nudge_at_ms, nudge_ms;
	size_t line;            /* bytes that were passed on since the last line feed */
	struct buffer up, down; /* to the program, to the client */
};

static int fail(const char *what)
{
	fprintf(stderr, "pty: %s: %s\n", what, strerror(errno));
	return EXIT_SYSTEM;
}

/* ---------------------------------------------------------------- the terminal */

static void set_modes(struct pty *p)
{
	struct termios *t = &p->modes;

	tcgetattr(p->slave, t);
	t->c_iflag |= IUTF8;
	if (p->discipline != TERMINAL) {
		t->c_iflag = 0;
		t->c_oflag = 0;
		t->c_lflag = p->discipline == LINES ? ICANON : 0;
		if (p->echo)
			t->c_lflag |= ECHO;
		memset(t->c_cc, _POSIX_VDISABLE, sizeof(t->c_cc));
		t->c_cc[VMIN] = 1;
	}
	tcsetattr(p->slave, TCSANOW, t);
	ioctl(p->slave, TIOCSWINSZ, &p->size);
}

static bool open_terminal(struct pty *p)
{
	p->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (p->master < 0 || grantpt(p->master) < 0 || unlockpt(p->master) < 0)
		return false;
	/* Without its name: it may not be there, in a chroot. */
	p->slave = ioctl(p->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (p->slave < 0 || ioctl(p->slave, TIOCSCTTY, 0) < 0)
		return false;
	fcntl(p->master, F_SETFL, fcntl(p->master, F_GETFL) | O_NONBLOCK);
	set_modes(p);
	return true;
}

static bool same_modes(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_lflag == b->c_lflag;
}

/*
 * Line by line, because only then can the end of the input be told to somebody who already waits
 * for it.  But the kernel holds no line that is longer than its buffer: from then on, byte by byte.
 */
static void mind_long_lines(struct pty *p, const char *data, size_t len)
{
	struct termios now;
	size_t longest = 0;

	for (size_t i = 0; i < len; i++) {
		p->line = data[i] == '\n' ? 0 : p->line + 1;
		if (p->line > longest)
			longest = p->line;
	}
	if (p->discipline != LINES || longest < LINE_MAX_LEN || tcgetattr(p->slave, &now) < 0 ||
		!same_modes(&now, &p->modes))
		return;
	p->discipline = BYTES;
	p->modes.c_lflag &= ~(tcflag_t)ICANON;
	tcsetattr(p->slave, TCSANOW, &p->modes);
}

/* Who began to wait for bytes goes on doing so, unless it is interrupted: then the call is begun
 * anew, and finds lines.  Only our own child: a shell would take notice of such a thing. */
static void rouse(const struct pty *p)
{
	if (tcgetpgrp(p->slave) == p->program) {
		kill(-p->program, SIGSTOP);
		kill(-p->program, SIGCONT);
	}
}

/*
 * The client has sent all.  A terminal knows no end, only a line that is ended by ^D and has
 * nothing in it.  So we wait until the program has read what there is, and then type that: if the
 * modes are still ours, after a change to those in which it means something, and nothing else has
 * a meaning.  What reads next may be another program, which is told likewise.
 */
static void say_end(struct pty *p)
{
	struct pollfd unread = { .fd = p->slave, .events = POLLIN };
	struct termios now;
	char c = END_OF_FILE;

	p->nudge_ms = p->nudge_ms ? 2 * p->nudge_ms : NUDGE_MS;
	if (p->nudge_ms > NUDGE_MAX_MS)
		p->nudge_ms = NUDGE_MAX_MS;
	p->nudge_at_ms = io_now_ms() + p->nudge_ms;
	if (poll(&unread, 1, 0) != 0 || tcgetattr(p->slave, &now) < 0)
		return;
	if (p->discipline != TERMINAL && same_modes(&now, &p->modes)) {
		p->modes.c_lflag |= ICANON;
		p->modes.c_cc[VEOF] = (cc_t)c;
		tcsetattr(p->slave, TCSANOW, &p->modes);
		if (p->discipline == BYTES)
			rouse(p);
		p->discipline = LINES;
	} else if (now.c_lflag & ICANON && now.c_cc[VEOF] != _POSIX_VDISABLE) {
		c = (char)now.c_cc[VEOF];
	}
	if (write(p->master, &c, 1) < 0)
		return; /* no room: there will be, next time */
}

/* ---------------------------------------------------------------- the program */

static void become(const struct pty *p, char *argv[])
{
	int log = fcntl(2, F_DUPFD_CLOEXEC, 3);
	int status;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	tcsetpgrp(p->slave, getpid()); /* SIGTTOU is still ignored */
	dup2(p->slave, 0);
	dup2(p->slave, 1);
	if (!p->keep_stderr)
		dup2(p->slave, 2);
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
	close(p->master);
	close(p->slave);
	p->master = p->slave = -1;
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
	taken(&p->up, write(p->master, data, p->up.len));
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
		{ .fd = p->master, .events = master },
		{ .fd = 1, .events = p->down.len > 0 ? POLLOUT : 0 },
	};

	if (poll(all, sizeof(all) / sizeof(all[0]), patience(p)) < 0)
		return;
	if (all[0].revents)
		read_signals(p);
	if (all[2].revents & POLLOUT)
		to_program(p);
	if (all[2].revents & POLLIN)
		fill(&p->down, p->master);
	if (all[1].revents) {
		p->input_ended = fill(&p->up, 0) < 0;
		mind_long_lines(p, p->up.data, p->up.len);
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
	return p->down.len == 0 && fill(&p->down, p->master) <= 0;
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
	if (!open_terminal(p))
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
		p->echo = true;
		return true;
	case 'g':
		return duration_parse(optarg, HOUR_MS, &p->grace_ms);
	case 'r':
		p->discipline = BYTES;
		return true;
	case 's':
		return read_size(optarg, &p->size);
	case 't':
		p->discipline = TERMINAL;
		return true;
	}
	return false;
}

int main(int argc, char *argv[])
{
	static struct pty p = { .grace_ms = 3000, .size = { .ws_row = 24, .ws_col = 80 } };
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
