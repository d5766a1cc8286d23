#include "daemon/model/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define UNIX_PREFIX "unix:"
#define PATH_AT offsetof(struct sockaddr_un, sun_path)

/* ---- back to text ---- */

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
	snprintf(out, ADDR_TEXT_MAX, UNIX_PREFIX "%s", path);
}

char *addr_format_host(const struct addr *a, char out[INET6_ADDRSTRLEN])
{
	struct addr plain = *a;

	out[0] = '\0';
	addr_unmap(&plain);
	if (plain.sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &plain.in.sin_addr, out, INET6_ADDRSTRLEN);
	else if (plain.sa.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &plain.in6.sin6_addr, out, INET6_ADDRSTRLEN);
	return out;
}

char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN];

	if (a->kind == ADDR_UNIX) {
		format_unix(a, out);
	} else if (a->dual) {
		snprintf(out, ADDR_TEXT_MAX, "*:%u", addr_port(a));
	} else {
		addr_format_host(a, host);
		snprintf(out, ADDR_TEXT_MAX, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
			addr_port(a));
	}
	return out;
}

uint16_t addr_port(const struct addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohs(a->in.sin_port);
	if (a->sa.sa_family == AF_INET6)
		return ntohs(a->in6.sin6_port);
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
	*a = (struct addr){ .kind = ADDR_TCP,
		.len = sizeof a->in,
		.in = { .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = host } };
}

/* ---- who is in whose way ---- */

static bool any_host(const struct addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

bool addr_clash(const struct addr *a, const struct addr *b)
{
	if (addr_group(a, b) != 0)
		return false;
	if (a->kind == ADDR_UNIX)
		return true;
	if (addr_port(a) == 0)
		return false;
	if (a->dual || b->dual)
		return true;
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (any_host(a) || any_host(b))
		return true;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
}

int addr_group(const struct addr *a, const struct addr *b)
{
	size_t n = (a->len < b->len ? a->len : b->len) - PATH_AT;
	int order;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->kind == ADDR_TCP)
		return (int)addr_port(a) - (int)addr_port(b);
	order = memcmp(a->un.sun_path, b->un.sun_path, n);
	if (order == 0 && a->len != b->len)
		order = a->len < b->len ? -1 : 1;
	return order;
}
