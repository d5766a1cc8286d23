#include "handlers/common/datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "handlers/common/duration.h"
#include "handlers/common/io.h"

enum { RESERVED = 1024, HOUR_MS = 3600 * 1000 };

bool datagram_options(struct datagram *d, const char *program, int argc, char *argv[])
{
	bool usable = true;
	int opt;

	*d = (struct datagram){ .program = program, .idle_ms = DATAGRAM_IDLE_MS };
	while (usable && (opt = getopt(argc, argv, "i:n:")) != -1) {
		char *end;
		unsigned long port;

		if (opt == 'i') {
			usable = duration_parse(optarg, HOUR_MS, &d->idle_ms);
		} else if (opt == 'n' && d->never_count < DATAGRAM_PORTS) {
			port = strtoul(optarg, &end, 10);
			usable = *optarg >= '0' && *optarg <= '9' && !*end && port <= 65535;
			d->never[d->never_count++] = (uint16_t)port;
		} else {
			usable = false;
		}
	}
	if (usable && optind == argc)
		return true;
	fprintf(stderr, "usage: %s [-i IDLE] [-n PORT] ...\n", program);
	return false;
}

bool datagram_given(void)
{
	socklen_t len = sizeof(int);
	int type = 0;

	return getsockopt(0, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM;
}

/* ---- who is answered ---- */

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
};

/* One host, by its looks: neither a group, nor all, nor nobody.  (Of the broadcast address of a
 * network the kernel knows, and does not send there.) */
static bool is_host4(struct in_addr address)
{
	uint32_t a = ntohl(address.s_addr);

	return a >> 24 != 0 && a >> 28 < 14;
}

static bool is_host6(const struct in6_addr *a)
{
	struct in_addr v4;

	if (IN6_IS_ADDR_V4MAPPED(a)) {
		memcpy(&v4, a->s6_addr + 12, sizeof(v4));
		return is_host4(v4);
	}
	return !IN6_IS_ADDR_MULTICAST(a) && !IN6_IS_ADDR_UNSPECIFIED(a);
}

static uint16_t port_of(const union address *a)
{
	return ntohs(a->any.sa_family == AF_INET ? a->in.sin_port : a->in6.sin6_port);
}

static bool is_trusted_port(const struct datagram *d, uint16_t port, uint16_t own)
{
	for (size_t i = 0; i < d->never_count; i++) {
		if (port == d->never[i])
			return false;
	}
	return port >= RESERVED && port != own;
}

static bool may_answer(const struct datagram *d, const struct msghdr *m, uint16_t own)
{
	const union address *from = m->msg_name;

	switch (m->msg_namelen ? from->any.sa_family : AF_UNSPEC) {
	case AF_UNIX: /* only who has a name can be sent something */
		return m->msg_namelen > offsetof(struct sockaddr_un, sun_path);
	case AF_INET:
		return is_host4(from->in.sin_addr) && is_trusted_port(d, port_of(from), own);
	case AF_INET6:
		return is_host6(&from->in6.sin6_addr) && is_trusted_port(d, port_of(from), own);
	}
	return false;
}

/* ---- which address was asked ---- */

static uint16_t learn_addresses(void)
{
	union address own = { 0 };
	socklen_t len = sizeof(own);
	int on = 1;

	if (getsockname(0, &own.any, &len) < 0 ||
		(own.any.sa_family != AF_INET && own.any.sa_family != AF_INET6))
		return 0;
	if (own.any.sa_family == AF_INET)
		(void)setsockopt(0, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	else
		(void)setsockopt(0, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	return port_of(&own);
}

/* Makes of where it came to where the answer comes from.  False: that was not to us alone. */
static bool turn_around(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct in6_pktinfo six;
	struct in_pktinfo four;

	if (!c) {
		m->msg_control = NULL;
		m->msg_controllen = 0;
		return true;
	}
	m->msg_controllen = CMSG_SPACE(c->cmsg_len - CMSG_LEN(0));
	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(&four, CMSG_DATA(c), sizeof(four));
		/* spec_dst is ours; it is none if the datagram came before we asked for this. */
		if (!is_host4(four.ipi_addr) ||
			(four.ipi_spec_dst.s_addr &&
				four.ipi_spec_dst.s_addr != four.ipi_addr.s_addr))
			return false;
		four.ipi_spec_dst = four.ipi_addr;
		four.ipi_ifindex = 0;
		memcpy(CMSG_DATA(c), &four, sizeof(four));
		return true;
	}
	if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&six, CMSG_DATA(c), sizeof(six));
		if (!IN6_IS_ADDR_LINKLOCAL(&six.ipi6_addr))
			six.ipi6_ifindex = 0;
		memcpy(CMSG_DATA(c), &six, sizeof(six));
		return is_host6(&six.ipi6_addr);
	}
	return false;
}

/* ---- the loop ---- */

static bool serve_one(const struct datagram *d, datagram_answer *answer, uint16_t own)
{
	static char buf[DATAGRAM_MAX];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control;
	union address from;
	struct iovec data = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr m = { .msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(0, &m, MSG_DONTWAIT);

	if (n < 0) /* of an answer that did not arrive we hear here, and do not mind */
		return errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED ||
		       errno == EHOSTUNREACH || errno == ENETUNREACH;
	n = answer(buf, (size_t)n);
	if (n < 0 || !may_answer(d, &m, own) || !turn_around(&m))
		return true;
	data.iov_len = (size_t)n;
	m.msg_flags = 0;
	(void)sendmsg(0, &m, MSG_DONTWAIT | MSG_NOSIGNAL); /* lost, as datagrams may be */
	return true;
}

int datagram_serve(const struct datagram *d, datagram_answer *answer)
{
	uint16_t own = learn_addresses();

	while (io_wait_until(0, io_now_ms() + d->idle_ms) == 0) {
		if (!serve_one(d, answer, own))
			break;
	}
	if (errno == ETIMEDOUT)
		return 0;
	dprintf(2, "%s: %s\n", d->program, strerror(errno));
	return 111;
}
