/*
 * datagram: the little services of the early internet, over UDP.
 *
 * Descriptor 0 is a datagram socket: either one that everybody sends to, or one that is connected
 * to the one who sent what already waits in it.  In both cases: answer what comes, until nothing
 * has come for a while.
 *
 * The sender of a datagram can be forged, and two services that answer each other never stop.  So
 * nobody is answered who has a port below 1024, where such services are, or our own, or one that
 * was named; nor what has come from or to a group or everybody.  An answer leaves from the address
 * that was asked.
 */
#ifndef HANDLERS_COMMON_DATAGRAM_H
#define HANDLERS_COMMON_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { DATAGRAM_MAX = 65536, DATAGRAM_PORTS = 16, DATAGRAM_IDLE_MS = 10000 };

struct datagram {
	const char *program;
	uint64_t idle_ms;
	uint16_t never[DATAGRAM_PORTS]; /* ports that are not answered */
	size_t never_count;
};

/* Makes the answer in place of the len bytes that came: its length, or -1 for none. */
typedef ssize_t datagram_answer(char buf[DATAGRAM_MAX], size_t len);

/* [-i IDLE] [-n PORT] ..., which have a meaning for datagrams only.  False: it was told what is
 * wrong; the exit status is 100. */
bool datagram_options(struct datagram *d, const char *program, int argc, char *argv[]);

/* Is descriptor 0 a datagram socket? */
bool datagram_given(void);

/* Serves; returns the exit status. */
int datagram_serve(const struct datagram *d, datagram_answer *answer);

#endif
