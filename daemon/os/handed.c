#include "daemon/os/handed.h"

#include "daemon/base/fd.h"
#include "daemon/base/log.h"
#include "daemon/base/mem.h"
#include "daemon/os/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST 3            /* SD_LISTEN_FDS_START */
#define NAMELESS "unknown" /* as sd_listen_fds_with_names(3) calls what has no name */

static struct {
	struct handed *items;
	size_t count, cap;
	bool known;
	const char *why_none;
} list;

/* ---- what a descriptor is */

static int option(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

static bool find_kind(int fd, struct addr *a)
{
	int type = option(fd, SO_TYPE), protocol = option(fd, SO_PROTOCOL);
	bool stream = type == SOCK_STREAM;

	switch (a->sa.sa_family) {
	case AF_INET:
	case AF_INET6:
		a->kind = stream ? ADDR_TCP : ADDR_UDP;
		return stream ? protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP
			      : protocol == IPPROTO_UDP;
	case AF_UNIX:
		a->kind = stream ? ADDR_UNIX : type == SOCK_DGRAM ? ADDR_DGRAM : ADDR_SEQPACKET;
		return true;
	case AF_VSOCK:
		a->kind = ADDR_VSOCK;
		return stream;
	}
	return false;
}

static bool is_dual(int fd, const struct addr *a)
{
	socklen_t len = sizeof(int);
	int v6_only = 1;

	return a->sa.sa_family == AF_INET6 && addr_is_any(a) &&
	       getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &len) == 0 && !v6_only;
}

/* Fills a; NULL, or why nobody can listen on it. */
static const char *examine(int fd, struct addr *a)
{
	*a = (struct addr){ .len = sizeof a->un };
	if (getsockname(fd, &a->sa, &a->len) < 0)
		return "it is not a socket";
	if (!find_kind(fd, a))
		return "superd does not know this kind of socket";
	a->dual = is_dual(fd, a);
	if (!addr_is_datagram(a) && option(fd, SO_ACCEPTCONN) != 1)
		return "it does not listen, so it is a connection, as Accept=yes gives it";
	if (addr_is_ip(a) && !addr_port(a))
		return "it is bound to no port";
	return NULL;
}

/* ---- the list */

static struct handed *add(const char *name, int number, int fd)
{
	struct handed *h;

	list.items = mem_reserve(list.items, &list.cap, list.count + 1, sizeof *list.items);
	h = &list.items[list.count++];
	*h = (struct handed){ .name = mem_dup(name), .number = number, .fd = fd };
	return h;
}

void handed_add(const char *name, int number, int fd, const struct addr *addr, bool usable)
{
	struct handed *h = add(name, number, fd);

	h->addr = *addr;
	h->wrong = usable ? NULL : "nobody can listen on it";
}

bool handed_is_known(void)
{
	return list.known;
}

void handed_know(void)
{
	list.known = true;
}

size_t handed_count(void)
{
	return list.count;
}

const struct handed *handed_at(size_t i)
{
	return &list.items[i];
}

bool handed_is(const struct handed *h, const char *name)
{
	char number[16];

	snprintf(number, sizeof number, "%d", h->number);
	return strcmp(h->name, name) == 0 || strcmp(number, name) == 0;
}

const char *handed_why_none(void)
{
	return list.why_none ? list.why_none : "LISTEN_FDS is not in the environment";
}

/* ---- taking them */

/* 3 and 4 are wanted for other things. */
static int move(int number)
{
	int fd = fcntl(number, F_DUPFD_CLOEXEC, STEPS_WAKE_FD + 1);

	if (fd < 0)
		fatal("LISTEN_FDS: descriptor %d: %m", number);
	return fd_settle(fd);
}

static bool parse(const char *text, long most, long *out)
{
	char *end;

	*out = text ? strtol(text, &end, 10) : 0;
	return text && end != text && !*end && *out > 0 && *out <= most;
}

/* How many there are, for us. */
static int count(void)
{
	const char *count_text = getenv("LISTEN_FDS"), *pid_text = getenv("LISTEN_PID");
	long n, pid;

	if (!count_text)
		return 0;
	if (!parse(count_text, 1 << 20, &n)) {
		list.why_none = "LISTEN_FDS is 0 or no number";
		return 0;
	}
	if (!parse(pid_text, INT32_MAX, &pid) || pid != getpid()) {
		list.why_none = "LISTEN_PID says that LISTEN_FDS is for another process";
		return 0;
	}
	return (int)n;
}

static void take(int n)
{
	char *names = getenv("LISTEN_FDNAMES") ? mem_dup(getenv("LISTEN_FDNAMES")) : NULL;
	char *rest = names, *name;

	for (int i = 0; i < n; i++) {
		int fd = move(FIRST + i);
		struct handed *h;

		name = strsep(&rest, ":");
		h = add(name && *name ? name : NAMELESS, FIRST + i, fd);
		h->wrong = examine(fd, &h->addr);
		h->addr.handed = (unsigned)list.count;
	}
	/* Only now: a number that is free is one that F_DUPFD may give. */
	for (int i = 0; i < n; i++)
		close(FIRST + i);
	free(names);
}

void handed_take(bool guess)
{
	int n = count();

	if (n || !guess)
		handed_know();
	take(n);
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
}
