#include "daemon/model/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define PATH_AT offsetof(struct sockaddr_un, sun_path)

/* ---- kinds ---- */

static const struct {
	const char *prefix;
	int type;
} kinds[] = {
	[ADDR_TCP] = { "", SOCK_STREAM },
	[ADDR_UDP] = { "udp:", SOCK_DGRAM },
	[ADDR_UNIX] = { "unix:", SOCK_STREAM },
	[ADDR_SEQPACKET] = { "seqpacket:", SOCK_SEQPACKET },
	[ADDR_DGRAM] = { "dgram:", SOCK_DGRAM },
	[ADDR_VSOCK] = { "vsock:", SOCK_STREAM },
	[ADDR_FD] = { "fd:", SOCK_STREAM },
};

bool addr_is_ip(const struct addr *a)
{
	return a->kind == ADDR_TCP || a->kind == ADDR_UDP;
}

bool addr_is_unix(const struct addr *a)
{
	return a->kind == ADDR_UNIX || a->kind == ADDR_SEQPACKET || a->kind == ADDR_DGRAM;
}

bool addr_is_path(const struct addr *a)
{
	return addr_is_unix(a) && a->len > PATH_AT && a->un.sun_path[0];
}

bool addr_is_datagram(const struct addr *a)
{
	return addr_socket_type(a) == SOCK_DGRAM;
}

int addr_socket_type(const struct addr *a)
{
	return kinds[a->kind].type;
}

bool addr_is_any(const struct addr *a)
{
	if (!addr_is_ip(a))
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

bool addr_is_multicast(const struct addr *a)
{
	if (!addr_is_ip(a))
		return false;
	if (a->sa.sa_family == AF_INET)
		return IN_MULTICAST(ntohl(a->in.sin_addr.s_addr));
	return IN6_IS_ADDR_MULTICAST(&a->in6.sin6_addr);
}

/* ---- back to text ---- */

/* Rather than a port. */
static bool has_name(const struct addr *a)
{
	return addr_is_unix(a) || a->kind == ADDR_FD;
}

static void format_unix(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	size_t n = a->len > PATH_AT ? a->len - PATH_AT : 0;
	char path[sizeof a->un.sun_path + 1] = "";

	memcpy(path, a->un.sun_path, n);
	if (n && !path[0])
		path[0] = '@';
	else
		n = strlen(path);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)path[i] < ' ' || path[i] == 0x7f)
			path[i] = '?';
	}
	path[n] = '\0';
	snprintf(out, ADDR_TEXT_MAX, "%s%s", kinds[a->kind].prefix, path);
}

char *addr_format_host(const struct addr *a, char out[INET6_ADDRSTRLEN])
{
	struct addr plain = *a;

	out[0] = '\0';
	addr_unmap(&plain);
	if (a->kind == ADDR_VSOCK && a->vm.svm_cid != VMADDR_CID_ANY)
		snprintf(out, INET6_ADDRSTRLEN, "%u", a->vm.svm_cid);
	if (plain.sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &plain.in.sin_addr, out, INET6_ADDRSTRLEN);
	else if (plain.sa.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &plain.in6.sin6_addr, out, INET6_ADDRSTRLEN);
	return out;
}

char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	const char *prefix = kinds[a->kind].prefix;
	char host[INET6_ADDRSTRLEN];

	addr_format_host(a, host);
	if (has_name(a))
		format_unix(a, out);
	else if (a->dual)
		snprintf(out, ADDR_TEXT_MAX, "%s*:%u", prefix, addr_port(a));
	else if (a->kind == ADDR_VSOCK && !*host)
		snprintf(out, ADDR_TEXT_MAX, "%s%u", prefix, addr_port(a));
	else
		snprintf(out, ADDR_TEXT_MAX, strchr(host, ':') ? "%s[%s]:%u" : "%s%s:%u", prefix,
			host, addr_port(a));
	return out;
}

uint32_t addr_port(const struct addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohs(a->in.sin_port);
	if (a->sa.sa_family == AF_INET6)
		return ntohs(a->in6.sin6_port);
	if (a->sa.sa_family == AF_VSOCK && a->vm.svm_port != VMADDR_PORT_ANY)
		return a->vm.svm_port;
	return 0;
}

void addr_unmap(struct addr *a)
{
	in_port_t port;
	in_addr_t host;

	if (a->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return;
	port = a->in6.sin6_port;
	memcpy(&host, &a->in6.sin6_addr.s6_addr[12], sizeof host);
	*a = (struct addr){ .kind = a->kind,
		.len = sizeof a->in,
		.in = { .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = host } };
}

/* ---- who is in whose way ---- */

bool addr_clash(const struct addr *a, const struct addr *b)
{
	if (addr_group(a, b) != 0)
		return false;
	if (has_name(a))
		return true;
	if (addr_port(a) == 0)
		return false;
	if (a->kind == ADDR_VSOCK || a->dual || b->dual)
		return true;
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (addr_is_any(a) || addr_is_any(b))
		return true;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
}

/* A path belongs to one socket of whatever kind; abstract names are the kind's own. */
static enum addr_kind group_of(const struct addr *a)
{
	return addr_is_path(a) ? ADDR_UNIX : a->kind;
}

int addr_group(const struct addr *a, const struct addr *b)
{
	enum addr_kind left = group_of(a), right = group_of(b);
	size_t n = (a->len < b->len ? a->len : b->len) - PATH_AT;
	int order;

	if (left != right)
		return left < right ? -1 : 1;
	if (!has_name(a))
		return addr_port(a) < addr_port(b) ? -1 : addr_port(a) > addr_port(b);
	order = memcmp(a->un.sun_path, b->un.sun_path, n);
	if (order == 0 && a->len != b->len)
		order = a->len < b->len ? -1 : 1;
	return order;
}
