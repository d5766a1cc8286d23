/*
 * terminal: a pseudo terminal that carries bytes as they are, and can say that they have ended.
 *
 * It changes nothing in either direction, and gives no byte a meaning but the line feed; unless it
 * shall be as the kernel makes one for a person.  Whoever opens it leads the session, and keeps
 * both of its ends.  It refuses to carry anything: that is for the caller's loop to do.
 */
#ifndef HANDLERS_COMMON_TERMINAL_H
#define HANDLERS_COMMON_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <termios.h>

/* What a program on it reads at once; OWN: as the kernel makes one. */
enum terminal_discipline { TERMINAL_LINES, TERMINAL_BYTES, TERMINAL_OWN };

struct terminal {
	enum terminal_discipline discipline;
	bool echo;
	struct winsize size;

	int master, slave;    /* owned; the master does not block */
	struct termios modes; /* as we set them */
	size_t line;          /* bytes that were passed on since the last line feed */
};

/* The session's.  False, with errno. */
bool terminal_open(struct terminal *t);
void terminal_close(struct terminal *t);

/* These bytes will be written to the master: a line that is too long for the kernel is read byte by
 * byte. */
void terminal_expect(struct terminal *t, const char *data, size_t len);

/* There will be no more.  To be said again until the program ends, which leads its own group. */
void terminal_say_end(struct terminal *t, pid_t program);

#endif
