/*
 * handed: the listening sockets that a program was started with, mode "wait".
 *
 * superd hands its listener over as 0, as inetd does, and once more from descriptor 3 on with
 * LISTEN_FDS, as systemd does, which has nothing on 0.  It refuses whatever is no listening stream
 * socket.
 */
#ifndef HANDLERS_COMMON_HANDED_H
#define HANDLERS_COMMON_HANDED_H

enum { HANDED_MAX = 32 }; /* as many as superd hands over */

/* How many there are; 0: none.  They are made non-blocking and close-on-exec, and the environment
 * says no more of them.  -1: what LISTEN_FDS tells of is not that. */
int handed_listeners(int fds[HANDED_MAX]);

#endif
