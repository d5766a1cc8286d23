/* A mixed crowd of clients from one thread.  Reads groups from stdin, a line each:
 *   KIND PORT SOURCE SOURCES AT_ONCE PAUSE_MS QUESTION EXPECTED
 * SOURCE is a number, 127.0.0.0 + SOURCE the first of SOURCES addresses that take turns; the texts
 * are in hex, "-" is none.  Runs for argv[1] seconds, then lets the last ones end.
 *
 *   good     asks, says that no more will come, checks the answer
 *   keep     the same, but goes on listening without a half-close
 *   slow     a byte each 20 ms, then as good
 *   reset    asks, and resets within 20 ms
 *   half     sends nothing, half-closes, listens to the end
 *   silent   says nothing until it is thrown out, or 4 s
 *
 * Prints a line for each group: begun ok wrong empty reset refused timeout other, and last how many
 * are still there, which is 0. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TEXT 70000
#define PATIENCE_MS 20000
#define SILENCE_MS 4000

enum kind { GOOD, KEEP, SLOW, RESET, HALF, SILENT, KINDS };
static const char *const kinds[KINDS] = { "good", "keep", "slow", "reset", "half", "silent" };

enum result { OK, WRONG, EMPTY, WAS_RESET, REFUSED, TIMEOUT, OTHER, RESULTS };

struct group {
	enum kind kind;
	int port;
	uint32_t source, sources, at_once, pause_ms, next;
	char *question, *expected;
	size_t question_len, expected_len;
	long begun, results[RESULTS];
};

struct client {
	struct group *group;
	int fd; /* -1: pauses until `due_ms` */
	int connected, wants_out;
	size_t sent, got;
	int wrong;
	uint64_t begun_ms, due_ms;
};

static int poller;
static long live;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void finish(struct client *c, enum result r, int hard)
{
	struct linger no = { 1, 0 };

	if (hard)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &no, sizeof no);
	close(c->fd);
	c->fd = -1;
	c->group->results[r]++;
	/* Spread, so that the groups do not come in waves. */
	c->due_ms = now_ms() + c->group->pause_ms / 2 +
		    (c->group->pause_ms ? (uint64_t)rand() % c->group->pause_ms : 0);
	live--;
}

static void fail(struct client *c, int error)
{
	finish(c,
		error == ECONNREFUSED                   ? REFUSED
		: error == ECONNRESET || error == EPIPE ? WAS_RESET
							: OTHER,
		0);
}

static void poll_for(struct client *c, int op, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	epoll_ctl(poller, op, c->fd, &e);
	c->wants_out = (events & EPOLLOUT) != 0;
}

static void begin(struct client *c)
{
	struct group *g = c->group;
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		perror("socket");
		exit(1);
	}
	*c = (struct client){ .group = g, .fd = fd, .begun_ms = now_ms() };
	c->due_ms = c->begun_ms + (g->kind == RESET ? (uint64_t)rand() % 20 : 20);
	from.sin_addr.s_addr = htonl(0x7f000000U + g->source + g->next++ % g->sources);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)g->port);
	setsockopt(fd, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &one, sizeof one);
	live++;
	g->begun++;
	if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0 ||
		(connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS))
		fail(c, errno);
	else
		poll_for(c, EPOLL_CTL_ADD, EPOLLOUT);
}

/* Sends what may be sent now; false: the client is finished. */
static int talk(struct client *c, size_t most)
{
	struct group *g = c->group;
	size_t left = g->question_len - c->sent;
	ssize_t n =
		left ? send(c->fd, g->question + c->sent, left < most ? left : most, MSG_NOSIGNAL)
		     : 0;

	if (n < 0 && errno != EAGAIN) {
		/* The answer may be there nevertheless. */
		if (errno != EPIPE && errno != ECONNRESET) {
			fail(c, errno);
			return 0;
		}
		c->sent = g->question_len;
	}
	if (n > 0)
		c->sent += (size_t)n;
	if (c->sent == g->question_len && (g->kind == GOOD || g->kind == SLOW))
		shutdown(c->fd, SHUT_WR);
	return 1;
}

static void on_connected(struct client *c)
{
	int error = 0;
	socklen_t len = sizeof error;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error) {
		fail(c, error);
		return;
	}
	c->connected = 1;
	if (c->group->kind == HALF)
		shutdown(c->fd, SHUT_WR);
	if (c->group->kind == SLOW || c->group->kind == SILENT || c->group->kind == HALF)
		poll_for(c, EPOLL_CTL_MOD, EPOLLIN);
	else
		poll_for(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

static void listen_to(struct client *c)
{
	struct group *g = c->group;
	char bytes[16384];
	ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);

	if (n > 0) {
		if (c->got + (size_t)n > g->expected_len ||
			memcmp(g->expected + c->got, bytes, (size_t)n) != 0)
			c->wrong = 1;
		c->got += (size_t)n;
	} else if (n == 0) {
		int empty = c->got == 0 && g->expected_len > 0;

		finish(c, empty ? EMPTY : c->wrong || c->got != g->expected_len ? WRONG : OK, 0);
	} else if (errno != EAGAIN) {
		fail(c, errno);
	}
}

static void on_event(struct client *c, uint32_t events)
{
	if (!c->connected) {
		on_connected(c);
		return;
	}
	if (events & EPOLLOUT) {
		if (!talk(c, TEXT))
			return;
		if (c->sent == c->group->question_len)
			poll_for(c, EPOLL_CTL_MOD, EPOLLIN);
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		listen_to(c);
}

static void on_time(struct client *c, uint64_t now, int more)
{
	uint64_t age = c->fd < 0 ? 0 : now - c->begun_ms;

	if (c->fd < 0) {
		if (more && now >= c->due_ms)
			begin(c);
	} else if (age > PATIENCE_MS) {
		finish(c, TIMEOUT, 1);
	} else if (!c->connected || now < c->due_ms) {
		return;
	} else if (c->group->kind == RESET) {
		finish(c, OK, 1);
	} else if (c->group->kind == SILENT && age > SILENCE_MS) {
		finish(c, OK, 0);
	} else if (c->group->kind == SLOW && c->sent < c->group->question_len) {
		c->due_ms = now + 20;
		talk(c, 1);
	}
}

static char *from_hex(const char *hex, size_t *len)
{
	char *out = malloc(strlen(hex) / 2 + 1);
	unsigned byte;

	*len = 0;
	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		out[(*len)++] = (char)byte;
	return out;
}

static int read_group(struct group *g)
{
	static char question[2 * TEXT + 2], expected[2 * TEXT + 2];
	char kind[16];

	if (scanf("%15s %d %u %u %u %u %140001s %140001s", kind, &g->port, &g->source, &g->sources,
		    &g->at_once, &g->pause_ms, question, expected) != 8)
		return 0;
	while (g->kind < KINDS && strcmp(kinds[g->kind], kind) != 0)
		g->kind++;
	g->question = from_hex(question, &g->question_len);
	g->expected = from_hex(expected, &g->expected_len);
	return g->kind < KINDS;
}

int main(int argc, char **argv)
{
	static struct group groups[1000];
	size_t groups_count = 0, count = 0;
	struct client *all;
	struct rlimit r;
	uint64_t start = now_ms(), end, now, looked = 0;

	if (argc != 2)
		return 100;
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	while (groups_count < 1000 && read_group(&groups[groups_count]))
		count += groups[groups_count++].at_once;
	all = calloc(count, sizeof *all);
	poller = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0, n = 0; i < groups_count; i++)
		for (uint32_t k = 0; k < groups[i].at_once; k++, n++)
			all[n] = (struct client){ .group = &groups[i],
				.fd = -1,
				.due_ms = start + (uint64_t)rand() % (groups[i].pause_ms + 1) };
	end = start + (uint64_t)(atof(argv[1]) * 1000);
	while ((now = now_ms()) < end || live) {
		struct epoll_event events[256];
		int n = epoll_wait(poller, events, 256, 5);

		for (int i = 0; i < n; i++)
			on_event(events[i].data.ptr, events[i].events);
		if (now - looked < 5)
			continue;
		looked = now;
		for (size_t i = 0; i < count; i++)
			on_time(&all[i], now, now < end);
	}
	for (size_t i = 0; i < groups_count; i++) {
		printf("%ld", groups[i].begun);
		for (int k = 0; k < RESULTS; k++)
			printf(" %ld", groups[i].results[k]);
		printf("\n");
	}
	printf("%ld\n", live);
	free(all);
	return 0;
}
