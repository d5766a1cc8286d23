/*
 * relay: two ends that talk to each other through us, without a byte in our memory.
 *
 * splice(2) moves pages from a socket into a pipe and from the pipe into the other socket.  Each
 * direction has its pipe and its end: when one side says that it will send no more, so is the other
 * told, and the other direction goes on.  What splice cannot move (a terminal, say, by hand) is
 * copied.
 *
 * It refuses to wait, and knows no loop and no clock: relay_pump() does what can be done now.  Its
 * sockets must be non-blocking; the flags of anything else are left alone.
 *
 * An end that fails is the other's failure: relay_close() resets it, so that nobody takes half of
 * an answer for the whole.
 */
#ifndef HANDLERS_COMMON_RELAY_H
#define HANDLERS_COMMON_RELAY_H

#include <stdbool.h>
#include <stddef.h>

enum relay_state {
	RELAY_WAIT,   /* nothing can be done until one of the descriptors changes */
	RELAY_MORE,   /* others should have a turn; then call again, without waiting */
	RELAY_DONE,   /* both directions have ended */
	RELAY_FAILED, /* errno says how, and relay.server_failed who */
};

struct relay_flow {
	int in, out; /* borrowed */
	int pipe[2]; /* owned */
	size_t held; /* bytes in it */
	int error;   /* of in: it ended by that */
	bool in_socket, out_socket;
	bool ended;   /* in has no more */
	bool discard; /* out takes no more: what comes is thrown away */
	bool done;
};

struct relay {
	struct relay_flow up, down; /* from the client to the server, and back */
	bool server_failed;
};

/* Makes the pipes.  0, or -1 with errno. */
int relay_init(struct relay *r);

/* The descriptors of both ends.  They stay the caller's, who closes them after relay_close(). */
void relay_connect(struct relay *r, int client_in, int client_out, int server);

enum relay_state relay_pump(struct relay *r);

/* The server has said all, but takes no more from a client that still sends.  Closing now would
 * reset the connection and could destroy the answer; the caller decides how long to go on. */
bool relay_drains(const struct relay *r);

/* Closes the pipes. */
void relay_close(struct relay *r);

/* Makes the next close of a TCP socket a reset. */
void relay_reset(int fd);

#endif
