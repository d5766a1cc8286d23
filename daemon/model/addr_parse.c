/* The text of `listen`, taken apart. */
#include "daemon/model/addr.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATH_AT offsetof(struct sockaddr_un, sun_path)

/* What the text of one address is taken apart into. */
struct parts {
	enum addr_kind kind;
	char host[INET6_ADDRSTRLEN]; /* "" when only a port is there */
	bool brackets;
	const char *ports; /* behind the last colon */
	unsigned first, last;
};

struct sink {
	void (*each)(const struct addr *, void *);
	void *context;
	char *why;
	size_t why_size;
};

static const char *because(const struct sink *s, const char *format, ...)
	__attribute__((format(printf, 2, 3), returns_nonnull));

static const char *because(const struct sink *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(s->why, s->why_size, format, ap);
	va_end(ap);
	return s->why;
}

/* ---- unix ---- */

static const char *parse_unix(const char *path, enum addr_kind kind, const struct sink *s)
{
	struct addr a = { .kind = kind, .un.sun_family = AF_UNIX };
	size_t n = strlen(path);
	bool abstract = path[0] == '@';

	if (path[0] != '/' && !abstract)
		return because(s, "'%s' is neither a path from / nor an abstract name @NAME", path);
	if (n == 1)
		return because(s, "'%s' names no socket", path);
	if (n >= sizeof a.un.sun_path)
		return because(s, "the path has %zu bytes; a unix socket's may have %zu", n,
			sizeof a.un.sun_path - 1);
	memcpy(a.un.sun_path, path, n);
	if (abstract)
		a.un.sun_path[0] = '\0';
	/* An abstract name ends where its length says, a path with its NUL. */
	a.len = (socklen_t)(PATH_AT + n + (abstract ? 0 : 1));
	s->each(&a, s->context);
	return NULL;
}

/* ---- what is handed over ---- */

static const char *parse_fd(const char *name, const struct sink *s)
{
	struct addr a = { .kind = ADDR_FD };
	size_t n = strlen(name);

	if (!n)
		return "the name is missing; write fd:NAME";
	if (n >= sizeof a.un.sun_path)
		return because(s, "the name has %zu bytes; here it may have %zu", n,
			sizeof a.un.sun_path - 1);
	if (strchr(name, ':'))
		return because(s, "'%.60s' is no name; in LISTEN_FDNAMES, a colon ends it", name);
	memcpy(a.un.sun_path, name, n);
	a.len = (socklen_t)(PATH_AT + n + 1);
	s->each(&a, s->context);
	return NULL;
}

/* ---- ports ---- */

static bool only(const char *text, const char *chars)
{
	return *text && text[strspn(text, chars)] == '\0';
}

/* One number of at most `len` digits at `text`. */
static const char *parse_port(const char *text, size_t len, unsigned *out, const struct sink *s)
{
	*out = 0;
	for (size_t i = 0; i < len; i++) {
		if (*out <= 65535)
			*out = *out * 10 + (unsigned)(text[i] - '0');
	}
	if (*out > 65535)
		return because(s, "port %.*s is outside 0..65535", len < 20 ? (int)len : 20, text);
	return NULL;
}

static const char *parse_ports(struct parts *p, const struct sink *s)
{
	const char *dash = strchr(p->ports, '-');
	size_t n = dash ? (size_t)(dash - p->ports) : strlen(p->ports);
	const char *wrong;

	if (!*p->ports)
		return "the port is missing";
	if (n == 0 || strspn(p->ports, "0123456789") != n ||
		(dash && !only(dash + 1, "0123456789")))
		return because(
			s, "'%.40s' is not a port number, nor a range like 7000-7099", p->ports);
	wrong = parse_port(p->ports, n, &p->first, s);
	if (wrong)
		return wrong;
	p->last = p->first;
	if (!dash)
		return NULL;
	wrong = parse_port(dash + 1, strlen(dash + 1), &p->last, s);
	if (wrong)
		return wrong;
	if (p->first == 0)
		return "a range cannot begin with port 0";
	if (p->last < p->first)
		return because(s, "the range %s runs backwards", p->ports);
	return NULL;
}

/* ---- vsock ---- */

static const char *parse_vsock(const char *text, const struct sink *s)
{
	struct addr a = { .kind = ADDR_VSOCK,
		.len = sizeof a.vm,
		.vm = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY } };
	uint64_t port = 0;

	if (!only(text, "0123456789") || strlen(text) > 10)
		return because(s, "'%.40s' is not a port number", text);
	for (; *text; text++)
		port = port * 10 + (unsigned)(*text - '0');
	if (port >= VMADDR_PORT_ANY)
		return because(s, "port %llu is outside 0..4294967294", (unsigned long long)port);
	a.vm.svm_port = port ? (unsigned)port : VMADDR_PORT_ANY;
	s->each(&a, s->context);
	return NULL;
}

/* ---- hosts ---- */

/* Words that other programs put before an address, or that a reader of the manual expects. */
static bool looks_like_kind(const char *text, size_t n)
{
	static const char *const kinds[] = { "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "unix",
		"vsock", "fd", "seqpacket", "dgram", "unixgram", "tls", "ssl", "http", "https",
		"sctp" };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strlen(kinds[i]) == n && memcmp(kinds[i], text, n) == 0)
			return true;
	}
	return false;
}

/* Splits `text` at the colon before the port. */
static const char *split(const char *text, struct parts *p, const struct sink *s)
{
	const char *host = text, *end;
	size_t n;

	if (only(text, "0123456789-")) {
		p->ports = text;
		return NULL;
	}
	if (*text == '[') {
		host++;
		end = strchr(host, ']');
		if (!end)
			return "the closing ] is missing";
		if (end[1] != ':')
			return because(s, "the port is missing; write %.60s:PORT", text);
		p->brackets = true;
		p->ports = end + 2;
	} else {
		end = strrchr(text, ':');
		if (!end && (strchr(text, '.') || strcmp(text, "localhost") == 0 || *text == '*'))
			return because(s, "the port is missing; write %.60s:PORT", text);
		if (!end)
			return because(s,
				"'%.60s' is not a port number; names of services are not looked up",
				text);
		p->ports = end + 1;
	}
	n = (size_t)(end - host);
	if (!p->brackets && memchr(host, ':', n))
		return "an IPv6 address stands in brackets, as in [::1]:7000";
	if (n == 0)
		return because(s, "the host is missing; write *:%s for all", p->ports);
	if (n >= sizeof p->host)
		return because(s, "'%.*s' is not an IP address", 60, host);
	memcpy(p->host, host, n);
	p->host[n] = '\0';
	return NULL;
}

static void each_port(struct addr *a, const struct parts *p, const struct sink *s)
{
	for (unsigned port = p->first; port <= p->last; port++) {
		if (a->sa.sa_family == AF_INET)
			a->in.sin_port = htons((uint16_t)port);
		else
			a->in6.sin6_port = htons((uint16_t)port);
		s->each(a, s->context);
	}
}

static struct addr ipv4(const struct parts *p, in_addr_t host)
{
	return (struct addr){ .kind = p->kind,
		.len = sizeof(struct sockaddr_in),
		.in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(host) } };
}

static struct addr ipv6(const struct parts *p, struct in6_addr host)
{
	return (struct addr){ .kind = p->kind,
		.len = sizeof(struct sockaddr_in6),
		.in6 = { .sin6_family = AF_INET6, .sin6_addr = host } };
}

static const char *parse_host(const struct parts *p, const struct sink *s)
{
	struct addr a = ipv4(p, INADDR_ANY);

	if (p->brackets) {
		a = ipv6(p, in6addr_any);
		if (inet_pton(AF_INET6, p->host, &a.in6.sin6_addr) != 1)
			return because(s, "'%s' is not an IPv6 address", p->host);
		addr_unmap(&a);
	} else if (!*p->host || strcmp(p->host, "*") == 0) {
		a = ipv6(p, in6addr_any);
		a.dual = true;
	} else if (strcmp(p->host, "localhost") == 0) {
		a = ipv4(p, INADDR_LOOPBACK);
		each_port(&a, p, s);
		a = ipv6(p, in6addr_loopback);
	} else if (inet_pton(AF_INET, p->host, &a.in.sin_addr) != 1) {
		return because(s,
			"'%s' is not an IP address; names are not looked up, but "
			"localhost and * are known",
			p->host);
	}
	each_port(&a, p, s);
	return NULL;
}

static bool begins(const char **text, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(*text, prefix, n) != 0)
		return false;
	*text += n;
	return true;
}

static const char *parse_ip(const char *text, enum addr_kind kind, const struct sink *s)
{
	struct parts p = { .kind = kind };
	const char *colon = strchr(text, ':');
	const char *wrong;

	if (!*text)
		return kind == ADDR_TCP ? "the address is empty" : "the port is missing";
	if (colon && looks_like_kind(text, (size_t)(colon - text)))
		return because(s,
			"%.*s: is not a known kind of address; known: PORT, HOST:PORT, "
			"[IPV6]:PORT, udp:, unix:PATH, seqpacket:PATH, dgram:PATH, vsock:PORT, "
			"fd:NAME",
			(int)(colon - text), text);
	wrong = split(text, &p, s);
	if (!wrong)
		wrong = parse_ports(&p, s);
	if (!wrong)
		wrong = parse_host(&p, s);
	return wrong;
}

const char *addr_parse(const char *text, void (*each)(const struct addr *, void *), void *context,
	char *why, size_t why_size)
{
	struct sink s = { .each = each, .context = context, .why = why, .why_size = why_size };

	if (begins(&text, "unix:"))
		return parse_unix(text, ADDR_UNIX, &s);
	if (begins(&text, "seqpacket:"))
		return parse_unix(text, ADDR_SEQPACKET, &s);
	if (begins(&text, "dgram:"))
		return parse_unix(text, ADDR_DGRAM, &s);
	if (begins(&text, "vsock:"))
		return parse_vsock(text, &s);
	if (begins(&text, "fd:"))
		return parse_fd(text, &s);
	if (begins(&text, "udp:"))
		return parse_ip(text, ADDR_UDP, &s);
	return parse_ip(text, ADDR_TCP, &s);
}
