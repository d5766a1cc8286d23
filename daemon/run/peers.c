#include "daemon/run/peers.h"

#include "daemon/base/clock.h"
#include "daemon/os/datagram.h"
#include "daemon/run/admit.h"
#include "daemon/run/conns.h"
#include "daemon/run/launch.h"
#include "daemon/run/listener.h"
#include "daemon/run/reserve.h"
#include "daemon/run/room.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 16   /* datagrams a wake-up; a flood here must not starve the others (H4) */
#define SWEEP 4096 /* what can have come between bind and connect, with ample room */

/* So many that were queued before a peer had its socket are passed on to it.  More than that means
 * that the kernel does not find the socket, and they would go round for ever. */
#define PASSED_MAX 4096

struct peer_key {
	struct in6_addr from, to; /* v4-mapped, if need be */
	uint32_t scope;
	in_port_t port;
};

struct peer {
	UT_hash_handle hh; /* in its unit */
	struct peer_key key;
	unsigned passed;
};

int peers_open(struct daemon *d)
{
	if (!d->mover)
		d->mover = mover_new();
	return d->mover ? 0 : -1;
}

static void key_host(const struct addr *a, struct in6_addr *out)
{
	if (a->sa.sa_family == AF_INET6) {
		*out = a->in6.sin6_addr;
		return;
	}
	out->s6_addr[10] = out->s6_addr[11] = 0xff;
	memcpy(&out->s6_addr[12], &a->in.sin_addr, 4);
}

static struct peer_key key_of(const struct datagram *d)
{
	struct peer_key k;

	memset(&k, 0, sizeof k); /* the gaps, too */
	key_host(&d->from, &k.from);
	key_host(&d->to, &k.to);
	k.port = htons((uint16_t)addr_port(&d->from));
	if (d->from.sa.sa_family == AF_INET6)
		k.scope = d->from.in6.sin6_scope_id;
	return k;
}

static struct peer *find(const struct unit *u, const struct peer_key *k)
{
	struct peer *p;

	HASH_FIND(hh, u->peers, k, sizeof *k, p);
	return p;
}

void peer_forget(struct conn *c)
{
	HASH_DEL(c->unit->peers, c->peer);
	free(c->peer);
	c->peer = NULL;
}

/* ---- one datagram ---- */

static void tell_failed(struct unit *u, const struct datagram *d, const char *what)
{
	char text[ADDR_TEXT_MAX];
	struct log_line l;
	int saved = errno;
	uint32_t silent;

	if (!pace_take(&u->refused_pace, clock_ms(), &silent))
		return;
	log_begin(&l, LOG_ERROR, "error");
	log_str(&l, "service", u->service->name);
	log_str(&l, "peer", addr_format(&d->from, text));
	log_str(&l, "call", what);
	log_str(&l, "error", strerror(saved));
	if (silent)
		log_num(&l, "repeated", silent);
	log_end(&l);
}

static void pass_on(struct unit *u, int fd, const struct datagram *d)
{
	struct mover *m = u->daemon->mover;
	int r = mover_pass_on(m, fd, d);
	bool left;

	if (r < 0 && errno == EMFILE && reserve_release(u->daemon))
		r = mover_pass_on(m, fd, d);
	left = r < 0 && errno == EMFILE;
	if (r < 0)
		tell_failed(u, d, "passing on");
	if (left)
		datagram_discard(fd);
	reserve_fill(u->daemon);
}

/* What the new socket got before it was connected goes where it belongs, also to itself. */
static void sweep(struct unit *u, int fd, const struct addr *bound, uint64_t since_ns)
{
	struct datagram d;

	for (int i = 0; i < SWEEP; i++) {
		if (datagram_peek(fd, bound, &d) < 0 || d.came_ns > since_ns)
			return;
		pass_on(u, fd, &d);
	}
}

static void refuse_it(
	struct arrival *a, struct listener *l, const struct datagram *d, enum reason reason)
{
	a->unit->arrived++;
	admit_refused(a, reason, &d->from);
	datagram_discard(l->fd);
}

static int connect_to(struct unit *u, const struct datagram *d, uint64_t *since_ns)
{
	int fd = datagram_connect(&d->to, &d->from, u->service, since_ns);

	if (fd < 0 && errno == EMFILE && u->live == 0 && reserve_release(u->daemon))
		fd = datagram_connect(&d->to, &d->from, u->service, since_ns);
	return fd;
}

/* Something is short, which may be better in a moment. */
static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

static void add(struct conn *c, const struct peer_key *k)
{
	c->peer = mem_new(sizeof *c->peer);
	c->peer->key = *k;
	HASH_ADD(hh, c->unit->peers, key, sizeof c->peer->key, c->peer);
}

void peer_restore(struct conn *c)
{
	const struct datagram d = { .from = c->ends.remote, .to = c->ends.local };
	struct peer_key k = key_of(&d);

	add(c, &k);
}

static struct conn *enter(struct arrival *a, const struct ends *e, const struct peer_key *k, int fd)
{
	struct unit *u = a->unit;
	struct conn *c = conn_new(u, fd, e);

	u->arrived++;
	c->source = a->source;
	add(c, k);
	return c;
}

/* A sender without a process.  True if another datagram may be looked at. */
static bool meet(struct listener *l, const struct datagram *d, const struct peer_key *k)
{
	struct ends e = { .remote = d->from, .local = d->to };
	struct unit *u = l->unit;
	uint64_t since_ns;
	enum reason reason;
	struct arrival a;
	int fd, error;

	arrival_init(&a, u, &e);
	reason = datagram_can_be_answered(d) ? admit(&a) : REASON_ADDRESS;
	if (reason != ADMITTED) {
		refuse_it(&a, l, d, reason);
		return true;
	}
	fd = connect_to(u, d, &since_ns);
	if (fd < 0 && is_shortage(errno)) {
		room_suspend(l, errno);
		return false;
	}
	if (fd < 0) {
		/* Nothing of ours leads there, or from there. */
		refuse_it(&a, l, d, REASON_ADDRESS);
		return true;
	}
	pass_on(u, l->fd, d);
	sweep(u, fd, &d->to, since_ns);
	datagram_settle(fd, &d->to);
	error = launch(enter(&a, &e, k, fd));
	reserve_fill(u->daemon);
	if (error)
		room_suspend(l, error);
	return !error;
}

static void pass_on_to(struct listener *l, struct peer *p, const struct datagram *d)
{
	if (p->passed++ < PASSED_MAX)
		pass_on(l->unit, l->fd, d);
	else
		datagram_discard(l->fd);
}

static bool serve_one(struct listener *l)
{
	struct unit *u = l->unit;
	struct peer_key k;
	struct datagram d;
	struct peer *p;

	if (datagram_peek(l->fd, &l->addr, &d) < 0)
		return errno != EAGAIN; /* what the network said of an answer is no matter here */
	k = key_of(&d);
	p = find(u, &k);
	if (p) {
		pass_on_to(l, p, &d);
		return true;
	}
	if (!u->service->reject_when_full && !admit_place(u)) {
		room_wait(l);
		return false;
	}
	if (launch_prepare(u, false) < 0 &&
		(!reserve_release_for(u) || launch_prepare(u, true) < 0)) {
		room_suspend(l, errno);
		return false;
	}
	return meet(l, &d, &k);
}

void peers_readable(struct listener *l)
{
	for (int i = 0; i < BATCH; i++)
		if (!serve_one(l))
			break;
}
