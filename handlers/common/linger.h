/*
 * linger: the end of a conversation that loses nothing.
 *
 * When a process exits with input that it never read, the kernel does not close a TCP connection
 * politely: it sends a reset, and the reset overtakes the answer.  The client then sees
 * "connection reset by peer" instead of the answer's last part, or of all of it.  So: say that we
 * are done (a FIN), then read and throw away what the client still sends until it closes too.
 *
 * It refuses to wait for ever: a silent client gets LINGER_SILENCE_MS, any client LINGER_TOTAL_MS
 * and LINGER_BYTES.  Past these the reset is what the client asked for.
 */
#ifndef HANDLERS_COMMON_LINGER_H
#define HANDLERS_COMMON_LINGER_H

enum {
	LINGER_SILENCE_MS = 2000,
	LINGER_TOTAL_MS = 10000,
	LINGER_BYTES = 64 << 20, /* at full speed 10 s could be gigabytes */
};

/* Ends the sending side of out, then drains in.  Returns at once when out is no socket. */
void linger_close(int in, int out);

#endif
