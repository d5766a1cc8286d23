#include "handlers/common/proxyenv.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Sets name, or removes it when there is no value. */
static int put(const char *name, const char *value)
{
	return value && *value ? setenv(name, value, 1) : unsetenv(name);
}

static int put_text(const char *name, struct proxyhdr_text text)
{
	char value[PROXYHDR_MAX];

	memcpy(value, text.at ? text.at : "", text.len);
	value[text.len] = '\0';
	return put(name, value);
}

static int put_hex(const char *name, struct proxyhdr_text bytes)
{
	char value[2 * PROXYHDR_ID_MAX + 1] = "";

	for (size_t i = 0; i < bytes.len; i++)
		snprintf(value + 2 * i, 3, "%02x", (unsigned char)bytes.at[i]);
	return put(name, value);
}

/* An address under both of its names, those of UCSPI and of CGI.  None: both are removed. */
static int put_end(const char *const name[4], const struct proxyhdr_end *end)
{
	char port[8] = "";

	if (*end->ip)
		snprintf(port, sizeof(port), "%u", end->port);
	return put(name[0], end->ip) | put(name[1], port) | put(name[2], end->ip) |
	       put(name[3], port);
}

/* The peer of the connection itself: as superd told us, or by hand as the kernel knows it. */
static int put_proxy(void)
{
	const char *ip = getenv("TCPREMOTEIP"), *port = getenv("TCPREMOTEPORT");
	char host[INET6_ADDRSTRLEN] = "", number[8] = "";
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof(peer);

	if (ip)
		return put("PROXY_ADDR", ip) | put("PROXY_PORT", port);
	if (getpeername(0, (struct sockaddr *)&peer, &len) == 0) {
		const struct sockaddr_in *in = (const void *)&peer;
		const struct sockaddr_in6 *in6 = (const void *)&peer;

		if (peer.ss_family == AF_INET) {
			inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
			snprintf(number, sizeof(number), "%u", ntohs(in->sin_port));
		} else if (peer.ss_family == AF_INET6) {
			bool mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);

			inet_ntop(mapped ? AF_INET : AF_INET6,
				in6->sin6_addr.s6_addr + (mapped ? 12 : 0), host, sizeof(host));
			snprintf(number, sizeof(number), "%u", ntohs(in6->sin6_port));
		}
	}
	return put("PROXY_ADDR", host) | put("PROXY_PORT", number);
}

int proxyenv_put(const struct proxyhdr *h)
{
	static const char *const remote[] = { "TCPREMOTEIP", "TCPREMOTEPORT", "REMOTE_ADDR",
		"REMOTE_PORT" };
	static const char *const local[] = { "TCPLOCALIP", "TCPLOCALPORT", "SERVER_ADDR",
		"SERVER_PORT" };
	static const char *const stale[] = { "IPCREMOTEEUID", "IPCREMOTEEGID", "IPCREMOTEPID",
		"IPCREMOTEPATH", "IPCLOCALPATH", "TCPREMOTEHOST", "TCPREMOTEINFO", "TCPLOCALHOST",
		"REMOTE_HOST" };
	int failed = put_proxy(); /* first: it reads what the rest overwrites */

	for (size_t i = 0; i < sizeof(stale) / sizeof(stale[0]); i++)
		failed |= put(stale[i], NULL);
	failed |= put("PROTO", h->kind == PROXYHDR_UNIX ? "IPC" : "TCP");
	failed |= put_end(remote, &h->remote);
	failed |= put_end(local, &h->local);
	failed |= put_text("PROXY_AUTHORITY", h->authority);
	failed |= put_text("PROXY_ALPN", h->alpn);
	failed |= put_hex("PROXY_UNIQUE_ID", h->unique_id);
	failed |= put("PROXY_TLS", !h->tls_told ? NULL : h->tls ? "1" : "0");
	failed |= put("PROXY_TLS_VERIFIED", !h->tls_told ? NULL : h->tls_verified ? "1" : "0");
	failed |= put_text("PROXY_TLS_VERSION", h->tls_version);
	failed |= put_text("PROXY_TLS_CIPHER", h->tls_cipher);
	failed |= put_text("PROXY_TLS_CN", h->tls_cn);
	return failed ? -1 : 0;
}
