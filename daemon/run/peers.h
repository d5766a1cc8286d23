/* Datagrams in mode "nowait": a process for each sender, with a connected socket.
 *
 * UDP has no accept(2).  What comes near it, without superd reading what was sent:
 *
 *   1. The first datagram of the queue is looked at (MSG_PEEK with no room for the payload): who
 *      sent it, and to which of our addresses (H41).
 *   2. A new socket is bound to that address and connected to that sender.  From here on it is the
 *      kernel's best match for this sender, and what he sends goes there by itself.
 *   3. The datagram is still in the queue of the listening socket.  It is sent again, as it came,
 *      through the kernel (os/datagram.h), and so arrives at the new socket.  The same is done with
 *      all others that are found in the queue and have a socket already.
 *
 * Why not the usual trick, which connects the listening socket itself, hands it over with its queue
 * and opens another: behind the first datagram others' are queued, which would be read as if they
 * were from this sender; and it would answer from the address that the routing table likes, not
 * from the one that was used.
 *
 * Between bind and connect, a few microseconds, the new socket is a better match for everybody.
 * What came in that time is passed on as well, which gives it back to where it belongs: the time at
 * which each datagram came tells those from the sender's own.
 *
 * What is not promised, as nothing of UDP is: the order of datagrams that come while their process
 * is being started; and those that are unread when a process ends. */
#ifndef RUN_PEERS_H
#define RUN_PEERS_H

#include "daemon/run/state.h"

/* Once, if a service needs it.  0, or -1 with errno. */
int peers_open(struct daemon *d);

/* The listening socket has datagrams. */
void peers_readable(struct listener *l);

/* For an upgrade: this process is the one of `c->ends`. */
void peer_restore(struct conn *c);

/* Its process has ended. */
void peer_forget(struct conn *c);

#endif
