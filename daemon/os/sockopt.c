#include "daemon/os/sockopt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

int sockopt_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value);
}

/* ---- TCP ---- */

/* A peer that is gone without a word is noticed after two minutes of silence, or after
 * `user_timeout` if there is something to send to it (H46).  Accepted sockets inherit these. */
static int set_keepalive(int fd, const struct service *s)
{
	if (sockopt_set(fd, SOL_SOCKET, SO_KEEPALIVE, s->socket.keepalive) < 0)
		return -1;
	if (s->socket.keepalive && (sockopt_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60) < 0 ||
					   sockopt_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15) < 0 ||
					   sockopt_set(fd, IPPROTO_TCP, TCP_KEEPCNT, 4) < 0))
		return -1;
	return sockopt_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)s->socket.user_timeout_ms);
}

/* The kernel counts it in a long; what is more than that takes is as good as no limit. */
static int set_bandwidth(int fd, uint64_t bytes_a_second)
{
	unsigned long rate = bytes_a_second && bytes_a_second < ULONG_MAX
				     ? (unsigned long)bytes_a_second
				     : ULONG_MAX;

	return setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof rate);
}

static int set_tcp(int fd, const struct service *s)
{
	if (set_keepalive(fd, s) < 0 || set_bandwidth(fd, s->socket.bandwidth) < 0 ||
		sockopt_set(fd, IPPROTO_TCP, TCP_NODELAY, s->socket.nodelay) < 0)
		return -1;
	return sockopt_set(
		fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, (int)((s->socket.defer_accept_ms + 999) / 1000));
}

/* ---- UDP ---- */

int sockopt_look(int fd, const struct addr *a, bool on)
{
	if (sockopt_set(fd, SOL_SOCKET, SO_TIMESTAMPNS, on) < 0 ||
		(a->sa.sa_family == AF_INET6 &&
			sockopt_set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, on) < 0))
		return -1;
	/* Also of IPv6, which may be both families: only this one tells a broadcast. */
	return sockopt_set(fd, IPPROTO_IP, IP_PKTINFO, on);
}

/* The group is heard on the named interface, or the one of the route to it. */
static int join(int fd, const struct addr *a, const struct service *s)
{
	const char *device = s->socket.device;
	unsigned index = device ? if_nametoindex(device) : 0;
	struct group_req r = { .gr_interface = index };

	if (device && !index)
		return -1;
	memcpy(&r.gr_group, &a->sa, a->len);
	/* Not what others on this host joined with the same port. */
	if (a->sa.sa_family == AF_INET6)
		return setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &r, sizeof r);
	if (sockopt_set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0) < 0)
		return -1;
	return setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &r, sizeof r);
}

/* ---- all ---- */

/* Root may go beyond net.core.rmem_max and wmem_max. */
static int set_buffer(int fd, int force, int plain, uint64_t bytes)
{
	int value = bytes > INT_MAX / 2 ? INT_MAX / 2 : (int)bytes;

	if (!bytes || sockopt_set(fd, SOL_SOCKET, force, value) == 0)
		return 0;
	return sockopt_set(fd, SOL_SOCKET, plain, value);
}

static int set_buffers(int fd, const struct service *s)
{
	if (set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, s->socket.receive_buffer) < 0)
		return -1;
	return set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, s->socket.send_buffer);
}

int sockopt_block(int fd, bool blocking)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	return fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

int sockopt_before_bind(int fd, const struct addr *a, const struct service *s)
{
	const char *device = s->socket.device;

	if (!addr_is_ip(a))
		return 0;
	/* For UDP it would let anybody have the port as well; the members of a group all do. */
	if ((a->kind == ADDR_TCP || addr_is_multicast(a)) &&
		sockopt_set(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0)
		return -1;
	if (a->sa.sa_family == AF_INET6 && sockopt_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !a->dual) < 0)
		return -1;
	if (device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
			      (socklen_t)strlen(device) + 1) < 0)
		return -1;
	return s->socket.freebind ? sockopt_set(fd, IPPROTO_IP, IP_FREEBIND, 1) : 0;
}

int sockopt_any_time(int fd, const struct addr *a, const struct service *s)
{
	/* superd must not hang in accept (H1).  A program that has the socket may want it either
	 * way, and what it chose is left alone. */
	if (!s->wait && sockopt_block(fd, false) < 0)
		return -1;
	if (set_buffers(fd, s) < 0)
		return -1;
	if (a->kind == ADDR_UDP)
		return sockopt_look(fd, a, !s->wait);
	return a->kind == ADDR_TCP ? set_tcp(fd, s) : 0;
}

int sockopt_after_bind(int fd, const struct addr *a, const struct service *s)
{
	if (a->kind != ADDR_UDP)
		return 0;
	if (addr_is_multicast(a))
		return join(fd, a, s);
	/* So that the sockets of the peers can have the same address, which is superd's alone
	 * nevertheless: it was free, and the kernel asks for one owner of all. */
	return sockopt_set(fd, SOL_SOCKET, SO_REUSEPORT, !s->wait);
}
