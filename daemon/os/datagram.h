/* Datagrams that superd never reads: what the kernel says of the first in a queue, and ways to pass
 * it on or to be rid of it that copy nothing of what is in it to superd. */
#ifndef OS_DATAGRAM_H
#define OS_DATAGRAM_H

#include "daemon/model/service.h"

#include <stdbool.h>

struct datagram {
	struct addr from;
	struct addr to; /* the address of ours that it was sent to, with its port; len 0: unknown */
	size_t bytes;
	uint64_t came_ns; /* by the clock of the day */
};

/* The first of the queue, of UDP; `bound` is the socket's own address.  It stays there.  0, or -1
 * with errno: EAGAIN, there is none. */
int datagram_peek(int fd, const struct addr *bound, struct datagram *out);

/* Tells one datagram from the next: when the first of the queue came, of any kind of socket; 0:
 * there is none.  It stays there, and the socket's options are as before. */
uint64_t datagram_mark(int fd);

/* The first of the queue is thrown away. */
void datagram_discard(int fd);

/* Nobody can be answered who has no address or port, or claims to be us, or from an address that is
 * not one of ours. */
bool datagram_can_be_answered(const struct datagram *d);

/* A socket of ours, bound to `local` and connected to `peer`.  For a moment between the two it
 * can get what others send: *since becomes the time at which that is over, and what came before
 * has to be passed on.  -1 with errno. */
int datagram_connect(const struct addr *local, const struct addr *peer, const struct service *s,
	uint64_t *since_ns);

/* It is complete: handlers find it as socket(2) makes them. */
void datagram_settle(int fd, const struct addr *local);

/* Passes datagrams on: a pipe that they go through. */
struct mover;

struct mover *mover_new(void); /* NULL with errno */
void mover_free(struct mover *m);

/* The first of the queue of `fd`, which is `d`, is sent again as it came, from its sender to its
 * address: so the kernel gives it to the socket that is the best match for it now.  Needs
 * CAP_NET_RAW.  0, or -1 with errno; it has left the queue in either case but for EMFILE. */
int mover_pass_on(struct mover *m, int fd, const struct datagram *d);

#endif
