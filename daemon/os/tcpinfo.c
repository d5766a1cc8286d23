#include "daemon/os/tcpinfo.h"

#include "daemon/base/fd.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of the kernel's enum tcp_state, those in which the peer's FIN has come. */
enum {
	STATE_CLOSE_WAIT = 8,
	STATE_LAST_ACK = 9,
	STATE_CLOSING = 11,
	STATE_TIME_WAIT = 6,
	STATE_CLOSE = 7
};

static void take(const struct tcp_info *i, struct tcpinfo *out)
{
	out->bytes_in = i->tcpi_bytes_received;
	out->bytes_out = i->tcpi_bytes_acked;
	out->rtt_us = i->tcpi_rtt;
	out->retransmits = i->tcpi_total_retrans;
	switch (i->tcpi_state) {
	case STATE_CLOSE_WAIT:
	case STATE_LAST_ACK:
	case STATE_CLOSING:
	case STATE_TIME_WAIT:
	case STATE_CLOSE:
		out->peer_closed = true;
		break;
	default:
		out->peer_closed = false;
	}
}

bool tcpinfo_of(int fd, struct tcpinfo *out)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof info;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return false;
	take(&info, out);
	return true;
}

int tcpinfo_open(void)
{
	return fd_settle(
		socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
}

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 diag;
};

static int ask(int netlink, const struct addr *local, const struct addr *remote)
{
	struct request r = {
		.header = { .nlmsg_len = sizeof r,
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST },
		.diag = { .sdiag_family = (uint8_t)local->sa.sa_family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_ext = 1 << (INET_DIAG_INFO - 1),
			.idiag_states = ~0U },
	};

	r.diag.id.idiag_sport = htons(addr_port(local));
	r.diag.id.idiag_dport = htons(addr_port(remote));
	if (local->sa.sa_family == AF_INET) {
		memcpy(r.diag.id.idiag_src, &local->in.sin_addr, 4);
		memcpy(r.diag.id.idiag_dst, &remote->in.sin_addr, 4);
	} else {
		memcpy(r.diag.id.idiag_src, &local->in6.sin6_addr, 16);
		memcpy(r.diag.id.idiag_dst, &remote->in6.sin6_addr, 16);
		r.diag.id.idiag_if = remote->in6.sin6_scope_id;
	}
	r.diag.id.idiag_cookie[0] = r.diag.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return send(netlink, &r, sizeof r, 0) == (ssize_t)sizeof r ? 0 : -1;
}

static bool read_answer(const struct nlmsghdr *h, struct tcpinfo *out)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	int left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof *m));

	for (const struct rtattr *a = (const struct rtattr *)(m + 1); RTA_OK(a, left);
		a = RTA_NEXT(a, left)) {
		struct tcp_info info = { 0 };
		size_t n = RTA_PAYLOAD(a);

		if (a->rta_type != INET_DIAG_INFO)
			continue;
		memcpy(&info, RTA_DATA(a), n < sizeof info ? n : sizeof info);
		take(&info, out);
		return true;
	}
	errno = ENOENT;
	return false;
}

/* The kernel answers while it is asked, so there is no waiting. */
bool tcpinfo_find(
	int netlink, const struct addr *local, const struct addr *remote, struct tcpinfo *out)
{
	_Alignas(struct nlmsghdr) char answer[8192];
	const struct nlmsghdr *h = (const struct nlmsghdr *)answer;
	ssize_t n;

	if (local->kind != ADDR_TCP || local->sa.sa_family != remote->sa.sa_family) {
		errno = EAFNOSUPPORT;
		return false;
	}
	if (ask(netlink, local, remote) < 0 || (n = recv(netlink, answer, sizeof answer, 0)) < 0)
		return false;
	if (!NLMSG_OK(h, (size_t)n)) {
		errno = EBADMSG;
		return false;
	}
	if (h->nlmsg_type == NLMSG_ERROR) {
		errno = -((const struct nlmsgerr *)NLMSG_DATA(h))->error;
		return false;
	}
	return read_answer(h, out);
}

/* ---- are there any ---- */

#define CONNECTED                                                                                  \
	(1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 8) /* established, in part or half-closed */

static bool ask_all(int netlink, uint8_t family, uint32_t port)
{
	struct request r = {
		.header = { .nlmsg_len = sizeof r,
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.diag = { .sdiag_family = family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = CONNECTED },
	};

	r.diag.id.idiag_sport = htons((uint16_t)port);
	return send(netlink, &r, sizeof r, 0) == (ssize_t)sizeof r;
}

/* All of the answer has to be taken, or the next one to ask would get the rest. */
static bool any_answer(int netlink)
{
	_Alignas(struct nlmsghdr) char answer[8192];
	bool any = false;
	ssize_t n;

	while ((n = recv(netlink, answer, sizeof answer, 0)) > 0) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)answer;

		for (size_t left = (size_t)n; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return any;
			any = true; /* also an error: then it is not known */
			if (h->nlmsg_type == NLMSG_ERROR)
				return any;
		}
	}
	return true;
}

bool tcpinfo_connected(int netlink, uint32_t port)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < sizeof families; i++)
		if (!ask_all(netlink, families[i], port) || any_answer(netlink))
			return true;
	return false;
}
