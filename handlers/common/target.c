#include "handlers/common/target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static void add(struct target *t, const void *address, size_t len)
{
	if (t->count == TARGET_ADDRESSES || len > sizeof(t->address[0]))
		return;
	memcpy(&t->address[t->count], address, len);
	t->len[t->count++] = (socklen_t)len;
}

static int parse_unix(struct target *t, const char *path, const char **why)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len = strlen(path);

	if (len == 0 || strcmp(path, "@") == 0) {
		*why = "the path is empty";
		return -1;
	}
	if (len >= sizeof(un.sun_path)) {
		*why = "the path is longer than 107 bytes";
		return -1;
	}
	memcpy(un.sun_path, path, len);
	if (path[0] == '@')
		un.sun_path[0] = '\0';
	else
		len++;
	add(t, &un, offsetof(struct sockaddr_un, sun_path) + len);
	return 0;
}

/* 0 if it is none: port 0 is nowhere to connect to. */
static uint16_t parse_port(const char *text)
{
	unsigned long port = 0;

	for (; *text >= '0' && *text <= '9' && port <= 65535; text++)
		port = 10 * port + (unsigned long)(*text - '0');
	return *text || port > 65535 ? 0 : (uint16_t)port;
}

static bool add_ip(struct target *t, const char *host, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	if (inet_pton(AF_INET, host, &in.sin_addr) == 1)
		add(t, &in, sizeof(in));
	else if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1)
		add(t, &in6, sizeof(in6));
	else
		return false;
	return true;
}

static int look_up(struct target *t, const char *host, const char *port, const char **why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *all;
	int error = getaddrinfo(host, port, &hints, &all);

	if (error) {
		*why = gai_strerror(error);
		return -1;
	}
	for (struct addrinfo *one = all; one; one = one->ai_next)
		add(t, one->ai_addr, one->ai_addrlen);
	freeaddrinfo(all);
	return 0;
}

int target_parse(struct target *t, const char *text, const char **why)
{
	const char *colon = strrchr(text, ':');
	char host[256];
	size_t len;
	uint16_t port;

	*t = (struct target){ .text = text };
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(t, text + 5, why);
	*why = "is not HOST:PORT or unix:PATH";
	if (!colon || colon == text || (size_t)(colon - text) >= sizeof(host))
		return -1;
	port = parse_port(colon + 1);
	if (port == 0) {
		*why = "the port is not 1 to 65535";
		return -1;
	}
	len = (size_t)(colon - text);
	if (text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		*why = "an IPv6 address stands in brackets";
		return -1;
	}
	memcpy(host, text, len);
	host[len] = '\0';
	if (strcmp(host, "localhost") == 0)
		return add_ip(t, "::1", port) && add_ip(t, "127.0.0.1", port) ? 0 : -1;
	return add_ip(t, host, port) ? 0 : look_up(t, host, colon + 1, why);
}

int target_connect(const struct target *t, size_t number)
{
	const struct sockaddr *address = (const struct sockaddr *)&t->address[number];
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -1;
	if (connect(fd, address, t->len[number]) == 0 || errno == EINPROGRESS || errno == EINTR)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int target_connected(int fd)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error = 0;

	if (poll(&room, 1, 0) <= 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -1;
	errno = error;
	return error ? -1 : 1;
}

void target_tune(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}
