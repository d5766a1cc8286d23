/* Many short connections from one thread: connect, send, read to the end, close.
 *   storm PORT COUNT AT_ONCE SECONDS TEXT      dialogue; expects something back
 *   storm PORT COUNT AT_ONCE SECONDS -         connect and reset at once, reads nothing
 * TERM: no more are begun.
 * Prints: ok refused reset empty timeout other */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct client {
	int fd;
	int connected;
	long got;
};

static int poller, port;
static long started, count, live;
static long ok, refused, reset, empty, timed_out, other;
static const char *message;

static volatile sig_atomic_t told_to_end;

static void on_term(int signal)
{
	(void)signal;
	told_to_end = 1;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void finish(struct client *c, long *counter)
{
	struct linger no = { 1, 0 };

	++*counter;
	/* No TIME_WAIT on our side: ports are few. */
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &no, sizeof no);
	close(c->fd);
	c->fd = -1;
	live--;
}

static void fail(struct client *c)
{
	finish(c, errno == ECONNREFUSED                   ? &refused
		  : errno == ECONNRESET || errno == EPIPE ? &reset
							  : &other);
}

static void begin(struct client *c)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
	struct epoll_event e = { .events = EPOLLOUT, .data.ptr = c };

	/* Many source addresses, so that 28,000 ports of one do not run out. */
	struct sockaddr_in from = { .sin_family = AF_INET };
	int one = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (unsigned)(started % 100));
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	c->connected = 0;
	c->got = 0;
	started++;
	live++;
	if (c->fd < 0) {
		perror("socket");
		exit(1);
	}
	setsockopt(c->fd, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &one, sizeof one);
	bind(c->fd, (struct sockaddr *)&from, sizeof from);
	if (connect(c->fd, (struct sockaddr *)&a, sizeof a) < 0 && errno != EINPROGRESS) {
		fail(c);
		return;
	}
	epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
}

static void on_writable(struct client *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
	socklen_t len = sizeof errno;
	int error = 0;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	errno = error;
	if (error) {
		fail(c);
		return;
	}
	if (strcmp(message, "-") == 0) {
		finish(c, &ok);
		return;
	}
	c->connected = 1;
	if (write(c->fd, message, strlen(message)) < 0) {
		fail(c);
		return;
	}
	shutdown(c->fd, SHUT_WR);
	epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
}

static void on_readable(struct client *c)
{
	char bytes[4096];
	ssize_t n = read(c->fd, bytes, sizeof bytes);

	if (n > 0)
		c->got += n;
	else if (n == 0)
		finish(c, c->got ? &ok : &empty);
	else if (errno != EAGAIN)
		fail(c);
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 100;
	port = atoi(argv[1]);
	count = atol(argv[2]);
	message = argv[5];

	long at_once = atol(argv[3]);
	double end = now() + atof(argv[4]);
	struct client *all = calloc((size_t)at_once, sizeof *all);

	signal(SIGTERM, on_term);
	poller = epoll_create1(EPOLL_CLOEXEC);
	for (long i = 0; i < at_once; i++)
		all[i].fd = -1;
	while ((started < count || live) && now() < end) {
		struct epoll_event events[256];

		if (told_to_end)
			count = 0;

		for (long i = 0; i < at_once && started < count; i++)
			if (all[i].fd < 0)
				begin(&all[i]);

		int n = epoll_wait(poller, events, 256, 100);

		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			if (c->connected)
				on_readable(c);
			else
				on_writable(c);
		}
	}
	timed_out = live;
	printf("%ld %ld %ld %ld %ld %ld\n", ok, refused, reset, empty, timed_out, other);
	free(all);
	return 0;
}
