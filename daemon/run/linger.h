/* Closing without a reset: the sending side is shut down, then what the client still sends is
 * thrown away until it closes, for a bounded time.  Were input unread at the close, the kernel
 * would reset the connection, and the reset can destroy an answer that is still on its way (H44).
 * Nothing is read: recv(2) with MSG_TRUNC discards in the kernel (invariant 1). */
#ifndef RUN_LINGER_H
#define RUN_LINGER_H

#include "daemon/run/state.h"

/* Takes the descriptor.  `done(context)` is called just before it is closed, at once or later;
 * NULL: it is of a client that was refused. */
void linger(struct daemon *d, int fd, void (*done)(void *context, int fd), void *context);

/* For an upgrade: each of them, and one that goes on. */
void lingers_each(const struct daemon *d,
	void (*each)(int fd, uint64_t end_ms, void *lingers_for, void *context), void *context);
void linger_restore(struct daemon *d, int fd, uint64_t end_ms, void (*done)(void *context, int fd),
	void *context);

bool lingers_any(const struct daemon *d);

/* Ends all of them, because superd stops. */
void lingers_end(struct daemon *d);

#endif
