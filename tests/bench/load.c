/* A closed-loop load: N clients, each connects, sends a line, half-closes, reads to the end,
 * checks the bytes, and begins anew.  Loopback only.  One line of JSON at the end.
 *
 *   load [-w WARMUP_S] [-k] [-r] PORT CLIENTS SECONDS
 *
 *   -w   not counted at the beginning
 *   -k   no half-close, for servers that take it for the end
 *   -r   the clients shall be refused: closed without an answer, by a FIN or a reset, is ok, and
 *        an answer is wrong; nothing is asked
 *
 * Source addresses rotate over 127.0.0.2 and on, so that ports in TIME_WAIT do not run out.
 * Latency is from before connect(2) to the end of the answer. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOURCES 200
#define TIMEOUT_US 5000000
#define LATENCIES (1 << 21)

enum state { IDLE, CONNECTING, READING };

struct client {
	int fd;
	enum state state;
	size_t got;
	uint64_t start_us;
};

static const char question[] = "ping\n";
static const size_t question_len = sizeof question - 1;

static struct client *clients;
static int clients_count, poller;
static struct sockaddr_in server;
static bool half_close = true, refusal, counting;
static uint32_t next_source;
static uint64_t ok, refused, reset, wrong, timeouts, other;
static uint32_t *latencies_us;
static size_t latencies_count;

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void finish(struct client *c, uint64_t *count)
{
	close(c->fd);
	c->fd = -1;
	c->state = IDLE;
	if (counting)
		++*count;
}

static void end_well(struct client *c)
{
	if (counting && latencies_count < LATENCIES)
		latencies_us[latencies_count++] = (uint32_t)(now_us() - c->start_us);
	finish(c, &ok);
}

static void fail(struct client *c, int error)
{
	if (refusal && error == ECONNRESET) {
		end_well(c);
		return;
	}
	finish(c, error == ECONNREFUSED                   ? &refused
		  : error == ECONNRESET || error == EPIPE ? &reset
							  : &other);
}

static void begin(struct client *c)
{
	struct sockaddr_in source = { .sin_family = AF_INET };
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
	const int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	source.sin_addr.s_addr = htonl(0x7f000002U + next_source++ % SOURCES);
	e.data.ptr = c;
	if (bind(c->fd, (struct sockaddr *)&source, sizeof source) < 0 ||
		epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e) < 0)
		die("bind");
	c->got = 0;
	c->state = CONNECTING;
	c->start_us = now_us();
	if (connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS)
		fail(c, errno);
}

static void ask(struct client *c)
{
	int error = 0;
	socklen_t len = sizeof error;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error) {
		fail(c, error);
	} else if (refusal) {
		c->state = READING;
	} else if (send(c->fd, question, question_len, MSG_NOSIGNAL) != (ssize_t)question_len) {
		fail(c, errno);
	} else {
		if (half_close)
			shutdown(c->fd, SHUT_WR);
		c->state = READING;
	}
}

static void hear(struct client *c)
{
	char answer[64];
	ssize_t n;

	while ((n = recv(c->fd, answer, sizeof answer, 0)) > 0) {
		if (refusal || c->got + (size_t)n > question_len ||
			memcmp(answer, question + c->got, (size_t)n) != 0) {
			finish(c, &wrong);
			return;
		}
		c->got += (size_t)n;
	}
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		fail(c, errno);
		return;
	}
	if (!refusal && c->got != question_len)
		finish(c, &wrong);
	else
		end_well(c);
}

static void give_up_late(uint64_t now)
{
	for (int i = 0; i < clients_count; i++)
		if (clients[i].state != IDLE && now - clients[i].start_us > TIMEOUT_US)
			finish(&clients[i], &timeouts);
}

static void turn(bool again)
{
	struct epoll_event events[256];
	int n = epoll_wait(poller, events, 256, 20);

	for (int i = 0; i < n; i++) {
		struct client *c = events[i].data.ptr;

		if (c->state == CONNECTING && events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			ask(c);
		if (c->state == READING &&
			events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP))
			hear(c);
		if (c->state == IDLE && again)
			begin(c);
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double percentile_ms(double p)
{
	size_t i = (size_t)(p * (double)latencies_count);

	if (!latencies_count)
		return 0;
	return latencies_us[i < latencies_count ? i : latencies_count - 1] / 1000.0;
}

static void print(double seconds)
{
	qsort(latencies_us, latencies_count, sizeof *latencies_us, compare);
	printf("{\"rate\": %.1f, \"ok\": %ju, \"errors\": %ju, \"refused\": %ju, \"reset\": %ju, "
	       "\"wrong\": %ju, "
	       "\"timeouts\": %ju, \"seconds\": %.3f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, "
	       "\"max_ms\": %.2f}\n",
		(double)ok / seconds, ok, refused + reset + wrong + timeouts + other, refused,
		reset, wrong, timeouts, seconds, percentile_ms(.5), percentile_ms(.99),
		percentile_ms(1));
}

static void run(double warmup_s, double seconds)
{
	uint64_t start = now_us(), count_from = start + (uint64_t)(warmup_s * 1e6);
	uint64_t end = count_from + (uint64_t)(seconds * 1e6), now;

	for (int i = 0; i < clients_count; i++)
		begin(&clients[i]);
	for (uint64_t looked = start; (now = now_us()) < end;) {
		counting = now >= count_from;
		turn(true);
		if (now - looked < 50000)
			continue;
		looked = now;
		give_up_late(now_us());
		for (int i = 0; i < clients_count; i++)
			if (clients[i].state == IDLE)
				begin(&clients[i]);
	}
	counting = false;
	print((double)(now - count_from) / 1e6);
	fflush(stdout);
	/* Let the rest end, so that the next server finds a quiet machine. */
	for (int i = 0; i < 50; i++) {
		bool busy = false;

		for (int k = 0; k < clients_count; k++)
			busy |= clients[k].state != IDLE;
		if (!busy)
			break;
		turn(false);
	}
}

int main(int argc, char **argv)
{
	struct rlimit r;
	double warmup_s = 0.3;
	int o;

	while ((o = getopt(argc, argv, "w:kr")) != -1)
		if (o == 'w')
			warmup_s = atof(optarg);
		else if (o == 'k')
			half_close = false;
		else if (o == 'r')
			refusal = true;
		else
			return 2;
	if (argc - optind != 3) {
		fprintf(stderr, "usage: load [-w warmup_s] [-k] [-r] port clients seconds\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	server = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(argv[optind])),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	clients_count = atoi(argv[optind + 1]);
	clients = calloc((size_t)clients_count, sizeof *clients);
	latencies_us = malloc(LATENCIES * sizeof *latencies_us);
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (!clients || !latencies_us || poller < 0)
		die("load");
	next_source = (uint32_t)getpid() * 7;
	run(warmup_s, atof(argv[optind + 2]));
	return 0;
}
