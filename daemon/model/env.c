#include "daemon/model/env.h"

#include "daemon/model/plan.h"

#include <arpa/inet.h>
#include <string.h>

struct builder {
	char *text;
	size_t len;
	const char **envp;
	size_t count;
};

/* NAME= at the end of the text; its value is to follow. */
static void name(struct builder *b, const char *n)
{
	size_t len = strlen(n);

	b->envp[b->count++] = b->text + b->len;
	memcpy(b->text + b->len, n, len);
	b->text[b->len + len] = '=';
	b->len += len + 1;
}

static void put(struct builder *b, const char *n, const char *value)
{
	size_t len = strlen(value) + 1;

	name(b, n);
	memcpy(b->text + b->len, value, len);
	b->len += len;
}

static void put_number(struct builder *b, const char *n, uint64_t value)
{
	char digits[21], *p = digits + sizeof digits - 1;

	*p = '\0';
	do
		*--p = (char)('0' + value % 10);
	while (value /= 10);
	put(b, n, p);
}

/* The same end under UCSPI's and under CGI's and systemd's names. */
static void put_end(struct builder *b, const struct addr *a, const char *const names[4])
{
	char host[INET6_ADDRSTRLEN];

	if (!a->len)
		return;
	addr_format_host(a, host);
	put(b, names[0], host);
	put_number(b, names[1], addr_port(a));
	put(b, names[2], host);
	put_number(b, names[3], addr_port(a));
}

static void put_tcp(struct builder *b, const struct ends *e)
{
	static const char *const remote[] = { "TCPREMOTEIP", "TCPREMOTEPORT", "REMOTE_ADDR",
		"REMOTE_PORT" };
	static const char *const local[] = { "TCPLOCALIP", "TCPLOCALPORT", "SERVER_ADDR",
		"SERVER_PORT" };

	put(b, "PROTO", "TCP");
	put_end(b, &e->remote, remote);
	put_end(b, &e->local, local);
}

static void put_udp(struct builder *b, const struct ends *e)
{
	static const char *const remote[] = { "UDPREMOTEIP", "UDPREMOTEPORT", "REMOTE_ADDR",
		"REMOTE_PORT" };
	static const char *const local[] = { "UDPLOCALIP", "UDPLOCALPORT", "SERVER_ADDR",
		"SERVER_PORT" };

	put(b, "PROTO", "UDP");
	put_end(b, &e->remote, remote);
	put_end(b, &e->local, local);
}

static void put_vsock(struct builder *b, const struct ends *e)
{
	put(b, "PROTO", "VSOCK");
	if (e->remote.len) {
		put_number(b, "VSOCKREMOTECID", e->remote.vm.svm_cid);
		put_number(b, "VSOCKREMOTEPORT", addr_port(&e->remote));
	}
	if (!e->local.len)
		return;
	if (e->local.vm.svm_cid != VMADDR_CID_ANY)
		put_number(b, "VSOCKLOCALCID", e->local.vm.svm_cid);
	put_number(b, "VSOCKLOCALPORT", addr_port(&e->local));
}

static void put_unix(struct builder *b, const struct ends *e)
{
	put(b, "PROTO", "IPC");
	if (!e->credentials)
		return;
	put_number(b, "IPCREMOTEEUID", e->uid);
	put_number(b, "IPCREMOTEEGID", e->gid);
	put_number(b, "IPCREMOTEPID", (uint64_t)e->pid);
}

size_t env_build(const struct service *s, uint64_t conn, const struct ends *e,
	char text[ENV_TEXT_MAX], const char **envp)
{
	struct builder b = { .text = text, .envp = envp, .count = s->env_count };

	memcpy(envp, s->env, s->env_count * sizeof *envp);
	put_number(&b, "SUPERD_CONN", conn);
	if (s->proxied)
		put_number(&b, "SUPERD_ADMIT", PLAN_ADMIT_FD);
	switch (e->local.kind) {
	case ADDR_TCP:
		put_tcp(&b, e);
		break;
	case ADDR_UDP:
		put_udp(&b, e);
		break;
	case ADDR_UNIX:
	case ADDR_SEQPACKET:
	case ADDR_DGRAM:
		put_unix(&b, e);
		break;
	case ADDR_VSOCK:
		put_vsock(&b, e);
		break;
	case ADDR_FD: /* no end of a connection is one */
		break;
	}
	envp[b.count] = NULL;
	return b.count;
}
