/* What the kernel knows of a TCP connection: bytes, round-trip time, who closed first.  Either
 * from a descriptor, or by its two addresses, so that superd need not keep a copy of every
 * connection it wants to watch (H42). */
#ifndef OS_TCPINFO_H
#define OS_TCPINFO_H

#include "daemon/model/addr.h"

#include <stdbool.h>
#include <stdint.h>

struct tcpinfo {
	uint64_t bytes_in, bytes_out; /* received; acknowledged by the peer */
	uint32_t rtt_us, retransmits;
	bool peer_closed; /* the peer has said that it sends no more */
};

/* False with errno if it is no TCP connection any more. */
bool tcpinfo_of(int fd, struct tcpinfo *out);

/* A netlink descriptor for tcpinfo_find; -1 with errno. */
int tcpinfo_open(void);

/* By addresses, both with their ports.  False with errno: ENOENT if it is gone. */
bool tcpinfo_find(
	int netlink, const struct addr *local, const struct addr *remote, struct tcpinfo *out);

/* Is there a connection on this port of ours?  Also if the kernel cannot say. */
bool tcpinfo_connected(int netlink, uint32_t port);

#endif
