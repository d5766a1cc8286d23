/* How a datagram is passed on: a raw socket is bound to the sender's address, which IP_TRANSPARENT
 * allows, and gets the UDP header with MSG_MORE; then splice(2) moves the payload from the queue
 * through a pipe behind it.  A raw socket and not one of UDP, because the sender's port may be in
 * use on this host: by the sender. */
#include "daemon/os/datagram.h"

#include "daemon/base/fd.h"
#include "daemon/base/mem.h"
#include "daemon/os/sockopt.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LARGEST 65535
#define CONTROL_BYTES 256 /* a timestamp and an address, with room */

static uint64_t ns_of(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec;
}

/* ---- looking ---- */

static void take_ipv4(const void *data, const struct addr *bound, struct datagram *out)
{
	struct in_pktinfo info;

	memcpy(&info, data, sizeof info);
	/* Of a broadcast these are two: no address of ours was used. */
	out->to = (struct addr){ .kind = ADDR_UDP,
		.len = info.ipi_addr.s_addr == info.ipi_spec_dst.s_addr ? sizeof out->to.in : 0,
		.in = { .sin_family = AF_INET, .sin_addr = info.ipi_addr } };
	out->to.in.sin_port = htons((uint16_t)addr_port(bound));
}

static void take_ipv6(const void *data, const struct addr *bound, struct datagram *out)
{
	struct in6_pktinfo info;

	memcpy(&info, data, sizeof info);
	out->to = (struct addr){ .kind = ADDR_UDP,
		.len = sizeof out->to.in6,
		.in6 = { .sin6_family = AF_INET6, .sin6_addr = info.ipi6_addr } };
	out->to.in6.sin6_port = htons((uint16_t)addr_port(bound));
	if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
		out->to.in6.sin6_scope_id = info.ipi6_ifindex;
	addr_unmap(&out->to);
}

static void take_control(struct msghdr *m, const struct addr *bound, struct datagram *out)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct timespec t;

		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&t, CMSG_DATA(c), sizeof t);
			out->came_ns = ns_of(&t);
		} else if (bound && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			take_ipv4(CMSG_DATA(c), bound, out);
		} else if (bound && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			take_ipv6(CMSG_DATA(c), bound, out);
		}
	}
}

static int peek(int fd, const struct addr *bound, struct datagram *out)
{
	_Alignas(struct cmsghdr) char control[CONTROL_BYTES];
	struct msghdr m = { .msg_name = &out->from.sa,
		.msg_namelen = sizeof out->from.un,
		.msg_control = control,
		.msg_controllen = sizeof control };
	ssize_t n;

	*out = (struct datagram){ .from.kind = ADDR_UDP };
	/* Nothing is asked for but the length, and nothing is copied. */
	n = recvmsg(fd, &m, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	if (n < 0)
		return -1;
	out->bytes = (size_t)n;
	out->from.len = m.msg_namelen;
	take_control(&m, bound, out);
	return 0;
}

int datagram_peek(int fd, const struct addr *bound, struct datagram *out)
{
	if (peek(fd, bound, out) < 0)
		return -1;
	addr_unmap(&out->from);
	return 0;
}

/* The kernel writes the time to the datagram when it is first asked for, if it had none. */
uint64_t datagram_mark(int fd)
{
	struct datagram d;
	bool there;

	sockopt_set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	there = peek(fd, NULL, &d) == 0;
	sockopt_set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 0);
	return there ? d.came_ns : 0;
}

void datagram_discard(int fd)
{
	/* An error of the socket is as good: it is gone now. */
	(void)!recv(fd, NULL, 0, MSG_DONTWAIT);
}

/* It claims to come from where it went, and an answer would come back as the next question. */
static bool is_circle(const struct datagram *d)
{
	const struct addr *a = &d->from, *b = &d->to;

	if (a->sa.sa_family != b->sa.sa_family || addr_port(a) != addr_port(b))
		return false;
	return a->sa.sa_family == AF_INET
		       ? a->in.sin_addr.s_addr == b->in.sin_addr.s_addr
		       : IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
}

bool datagram_can_be_answered(const struct datagram *d)
{
	return d->from.len && addr_port(&d->from) && !addr_is_any(&d->from) && d->to.len &&
	       !addr_is_multicast(&d->to) && !is_circle(d);
}

/* ---- the socket of a peer ---- */

static int connect_to(int fd, const struct addr *local, const struct addr *peer,
	const struct service *s, uint64_t *since_ns)
{
	struct timespec now;

	if (sockopt_set(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0 ||
		sockopt_before_bind(fd, local, s) < 0 || sockopt_any_time(fd, local, s) < 0 ||
		bind(fd, &local->sa, local->len) < 0 || connect(fd, &peer->sa, peer->len) < 0)
		return -1;
	clock_gettime(CLOCK_REALTIME, &now);
	*since_ns = ns_of(&now);
	return 0;
}

int datagram_connect(const struct addr *local, const struct addr *peer, const struct service *s,
	uint64_t *since_ns)
{
	int fd = socket(local->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect_to(fd, local, peer, s, since_ns) < 0)
		fd_close(&fd);
	return fd;
}

void datagram_settle(int fd, const struct addr *local)
{
	int flags = fcntl(fd, F_GETFL);

	sockopt_look(fd, local, false);
	fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/* ---- passing on ---- */

struct mover {
	int pipe[2];
};

static int open_pipe(struct mover *m)
{
	if (pipe2(m->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
		m->pipe[0] = m->pipe[1] = -1;
		return -1;
	}
	for (int i = 0; i < 2; i++)
		m->pipe[i] = fd_settle(m->pipe[i]);
	return 0;
}

struct mover *mover_new(void)
{
	struct mover *m = mem_new(sizeof *m);

	if (open_pipe(m) == 0)
		return m;
	free(m);
	return NULL;
}

void mover_free(struct mover *m)
{
	if (!m)
		return;
	fd_close(&m->pipe[0]);
	fd_close(&m->pipe[1]);
	free(m);
}

/* Of a raw socket the port is none of its address. */
static struct addr without_port(const struct addr *a)
{
	struct addr host = *a;

	if (a->sa.sa_family == AF_INET)
		host.in.sin_port = 0;
	else
		host.in6.sin6_port = 0;
	return host;
}

static int bind_raw(int raw, const struct datagram *d)
{
	struct addr from = without_port(&d->from), to = without_port(&d->to);
	bool v6 = from.sa.sa_family == AF_INET6;

	if (sockopt_set(raw, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT,
		    1) < 0)
		return -1;
	/* IPv6 wants a checksum, and the kernel makes it; IPv4 can do without. */
	if (v6 && sockopt_set(raw, IPPROTO_IPV6, IPV6_CHECKSUM,
			  (int)offsetof(struct udphdr, check)) < 0)
		return -1;
	if (bind(raw, &from.sa, from.len) < 0)
		return -1;
	return connect(raw, &to.sa, to.len);
}

static int open_raw(const struct datagram *d)
{
	int raw = socket(d->from.sa.sa_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);

	if (raw >= 0 && bind_raw(raw, d) < 0)
		fd_close(&raw);
	return raw;
}

static int send_header(int raw, const struct datagram *d)
{
	struct udphdr h = { .source = htons((uint16_t)addr_port(&d->from)),
		.dest = htons((uint16_t)addr_port(&d->to)),
		.len = htons((uint16_t)(sizeof h + d->bytes)) };

	return send(raw, &h, sizeof h, d->bytes ? MSG_MORE : 0) == (ssize_t)sizeof h ? 0 : -1;
}

static int splice_all(int from, int to, size_t bytes)
{
	while (bytes) {
		ssize_t n = splice(from, NULL, to, NULL, bytes, 0);

		if (n <= 0)
			return -1;
		bytes -= (size_t)n;
	}
	return 0;
}

static int pass_on(const struct mover *m, int raw, int fd, const struct datagram *d)
{
	ssize_t n;

	if (send_header(raw, d) < 0)
		return -1;
	if (!d->bytes) {
		datagram_discard(fd);
		return 0;
	}
	n = splice(fd, NULL, m->pipe[1], NULL, LARGEST, SPLICE_F_NONBLOCK);
	if (n == (ssize_t)d->bytes)
		return splice_all(m->pipe[0], raw, d->bytes);
	if (n < 0)
		datagram_discard(fd);
	errno = EMSGSIZE;
	return -1;
}

int mover_pass_on(struct mover *m, int fd, const struct datagram *d)
{
	int raw = m->pipe[0] < 0 && open_pipe(m) < 0 ? -1 : open_raw(d);
	int r = -1;

	if (raw < 0) {
		int saved = errno;

		if (saved != EMFILE)
			datagram_discard(fd);
		errno = saved;
		return -1;
	}
	r = pass_on(m, raw, fd, d);
	fd_close(&raw);
	/* What is left in the pipe must not become part of the next. */
	if (r < 0) {
		fd_close(&m->pipe[0]);
		fd_close(&m->pipe[1]);
	}
	return r;
}
