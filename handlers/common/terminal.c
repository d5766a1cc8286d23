#include "handlers/common/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

enum {
	END_OF_FILE = 4,
	LINE_MAX_LEN = 4000, /* of 4095 that the kernel keeps; it drops the rest */
};

static void set_modes(struct terminal *t)
{
	struct termios *m = &t->modes;

	tcgetattr(t->slave, m);
	m->c_iflag |= IUTF8;
	if (t->discipline != TERMINAL_OWN) {
		m->c_iflag = 0;
		m->c_oflag = 0;
		m->c_lflag = t->discipline == TERMINAL_LINES ? ICANON : 0;
		if (t->echo)
			m->c_lflag |= ECHO;
		memset(m->c_cc, _POSIX_VDISABLE, sizeof(m->c_cc));
		m->c_cc[VMIN] = 1;
	}
	tcsetattr(t->slave, TCSANOW, m);
	ioctl(t->slave, TIOCSWINSZ, &t->size);
}

bool terminal_open(struct terminal *t)
{
	t->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t->master < 0 || grantpt(t->master) < 0 || unlockpt(t->master) < 0)
		return false;
	/* Without its name: it may not be there, in a chroot. */
	t->slave = ioctl(t->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t->slave < 0 || ioctl(t->slave, TIOCSCTTY, 0) < 0)
		return false;
	fcntl(t->master, F_SETFL, fcntl(t->master, F_GETFL) | O_NONBLOCK);
	set_modes(t);
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
void terminal_expect(struct terminal *t, const char *data, size_t len)
{
	struct termios now;
	size_t longest = 0;

	for (size_t i = 0; i < len; i++) {
		t->line = data[i] == '\n' ? 0 : t->line + 1;
		if (t->line > longest)
			longest = t->line;
	}
	if (t->discipline != TERMINAL_LINES || longest < LINE_MAX_LEN ||
		tcgetattr(t->slave, &now) < 0 || !same_modes(&now, &t->modes))
		return;
	t->discipline = TERMINAL_BYTES;
	t->modes.c_lflag &= ~(tcflag_t)ICANON;
	tcsetattr(t->slave, TCSANOW, &t->modes);
}

/* Who began to wait for bytes goes on doing so, unless it is interrupted: then the call is begun
 * anew, and finds lines.  Only our own child: a shell would take notice of such a thing. */
static void rouse(const struct terminal *t, pid_t program)
{
	if (tcgetpgrp(t->slave) == program) {
		kill(-program, SIGSTOP);
		kill(-program, SIGCONT);
	}
}

/*
 * The client has sent all.  A terminal knows no end, only a line that is ended by ^D and has
 * nothing in it.  So we wait until the program has read what there is, and then type that: if the
 * modes are still ours, after a change to those in which it means something, and nothing else has
 * a meaning.  What reads next may be another program, which is told likewise.
 */
void terminal_say_end(struct terminal *t, pid_t program)
{
	struct pollfd unread = { .fd = t->slave, .events = POLLIN };
	struct termios now;
	char c = END_OF_FILE;

	if (poll(&unread, 1, 0) != 0 || tcgetattr(t->slave, &now) < 0)
		return;
	if (t->discipline != TERMINAL_OWN && same_modes(&now, &t->modes)) {
		t->modes.c_lflag |= ICANON;
		t->modes.c_cc[VEOF] = (cc_t)c;
		tcsetattr(t->slave, TCSANOW, &t->modes);
		if (t->discipline == TERMINAL_BYTES)
			rouse(t, program);
		t->discipline = TERMINAL_LINES;
	} else if (now.c_lflag & ICANON && now.c_cc[VEOF] != _POSIX_VDISABLE) {
		c = (char)now.c_cc[VEOF];
	}
	if (write(t->master, &c, 1) < 0)
		return; /* no room: there will be, next time */
}

void terminal_close(struct terminal *t)
{
	close(t->master);
	close(t->slave);
	t->master = t->slave = -1;
}
