#include "daemon/run/declare.h"

#include "daemon/base/fd.h"
#include "daemon/run/admit.h"
#include "daemon/run/conns.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct declaration {
	struct event event;
	int fd; /* our end */
};

int declare_open(struct conn *c)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	c->declaration = mem_new(sizeof *c->declaration);
	c->declaration->fd = fd_high(ends[0]);
	c->plan.admit = ends[1];
	return 0;
}

void declare_end(struct conn *c)
{
	struct declaration *n = c->declaration;

	if (!n)
		return;
	if (n->event.ev_base)
		event_del(&n->event);
	fd_close(&n->fd);
	free(n);
	c->declaration = NULL;
}

static bool parse_end(const char *host, const char *port, struct addr *out)
{
	char *end;
	unsigned long n = strtoul(port, &end, 10);

	*out = (struct addr){ .kind = ADDR_TCP };
	if (!*port || *end || n > 65535)
		return false;
	if (inet_pton(AF_INET, host, &out->in.sin_addr) == 1) {
		out->in.sin_family = AF_INET;
		out->in.sin_port = htons((uint16_t)n);
		out->len = sizeof out->in;
		return true;
	}
	if (inet_pton(AF_INET6, host, &out->in6.sin6_addr) != 1)
		return false;
	out->in6.sin6_family = AF_INET6;
	out->in6.sin6_port = htons((uint16_t)n);
	out->len = sizeof out->in6;
	return true;
}

/* "TCP IP PORT IP PORT\n", from a program of ours that may have been subverted by a client.
 * False: it is not that. */
static bool parse_tcp(char *text, struct addr *remote, struct addr *local)
{
	char *word[5], *rest = text;
	size_t n = 0;

	while (n < 5 && (word[n] = strsep(&rest, " ")))
		n++;
	return n == 5 && !rest && strcmp(word[0], "TCP") == 0 &&
	       parse_end(word[1], word[2], remote) && parse_end(word[3], word[4], local);
}

static void tell_admitted(const struct conn *c, const struct addr *via)
{
	char text[ADDR_TEXT_MAX];
	struct log_line l;

	log_begin(&l, LOG_INFO, "admit");
	log_str(&l, "service", c->service->name);
	log_num(&l, "conn", (int64_t)c->id);
	log_str(&l, "peer", addr_format(&c->ends.remote, text));
	log_str(&l, "via", addr_format(via, text));
	log_end(&l);
}

/* The books follow the declared client from here on. */
static enum reason admit_declared(
	struct conn *c, const struct addr *remote, const struct addr *local)
{
	struct addr via = c->ends.remote;
	struct arrival a;
	enum reason reason;

	c->ends.remote = *remote;
	c->ends.local = *local;
	addr_unmap(&c->ends.remote);
	addr_unmap(&c->ends.local);
	arrival_init(&a, c->unit, &c->ends);
	a.declared = true;
	reason = admit(&a);
	if (reason != ADMITTED) {
		c->refused = reason;
		admit_refused(&a, reason, &c->ends.remote);
		return reason;
	}
	conn_set_source(c, a.source);
	tell_admitted(c, &via);
	return ADMITTED;
}

static bool understand(struct conn *c, char *text, enum reason *reason)
{
	struct addr remote, local;

	*reason = ADMITTED;
	/* The proxy itself, for its health checks; or a client without an address. */
	if (strcmp(text, "LOCAL") == 0 || strcmp(text, "UNIX") == 0)
		return true;
	if (!parse_tcp(text, &remote, &local))
		return false;
	*reason = admit_declared(c, &remote, &local);
	return true;
}

static void answer(struct conn *c, enum reason reason)
{
	const char *message = c->service->reject_message;
	char text[1024];
	int n = reason == ADMITTED ? snprintf(text, sizeof text, "ok\n")
				   : snprintf(text, sizeof text, "no%s%s", message ? " " : "\n",
					     message ? message : "");

	if (n > (int)sizeof text)
		n = sizeof text;
	/* If it does not listen any more, it will exit, and that is seen. */
	(void)!send(c->declaration->fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_declared(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	char text[256];
	ssize_t n = recv((int)fd, text, sizeof text - 1, MSG_DONTWAIT);
	enum reason reason;

	(void)what;
	start_after_wait(c->unit->daemon->starter);
	if (n > 0 && text[n - 1] == '\n' && !memchr(text, '\0', (size_t)n)) {
		text[n - 1] = '\0';
		if (understand(c, text, &reason))
			answer(c, reason);
	}
	/* One question, one answer; without an answer the program gives up. */
	declare_end(c);
}

int declare_fd(const struct conn *c)
{
	return c->declaration ? c->declaration->fd : -1;
}

void declare_restore(struct conn *c, int fd)
{
	c->declaration = mem_new(sizeof *c->declaration);
	c->declaration->fd = fd;
	declare_begin(c);
}

void declare_begin(struct conn *c)
{
	struct declaration *n = c->declaration;

	if (!n)
		return;
	event_assign(&n->event, c->unit->daemon->base, n->fd, EV_READ | EV_PERSIST, on_declared, c);
	event_add(&n->event, NULL);
}
