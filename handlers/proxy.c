/*
 * proxy: reads the header of the PROXY protocol, then becomes the handler proper.
 *
 * A proxy in front of us connects in place of its clients, and tells in a header who they are.  We
 * take that header off the connection, to the byte, put what it says into the environment, and
 * exec the rest of our arguments: a handler behind us neither knows nor cares.  That is why this is
 * a program and not a part of the daemon, which reads nothing that came from outside.
 *
 * Whoever can connect can write any address into a header.  Who may is for superd to say.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handlers/common/admit.h"
#include "handlers/common/io.h"
#include "handlers/common/linger.h"
#include "handlers/common/proxyenv.h"
#include "handlers/common/proxyhdr.h"

enum { PATIENCE_MS = 5000, PATIENCE_MAX_MS = 3600 * 1000, STALL_MS = 2000 };
enum { EXIT_REFUSED = 1, EXIT_USAGE = 100, EXIT_SYSTEM = 111, EXIT_EXEC = 126, EXIT_MISSING = 127 };

/* ---------------------------------------------------------------- the header */

/* recv(2) that leaves everything there and ends at the deadline: -1 with ETIMEDOUT. */
static ssize_t peek_until(int fd, char *buf, size_t size, uint64_t deadline_ms)
{
	while (io_wait_until(fd, deadline_ms) == 0) {
		ssize_t n = recv(fd, buf, size, MSG_PEEK | MSG_DONTWAIT);

		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			return n;
	}
	return -1;
}

static bool is_stream(int fd)
{
	socklen_t len = sizeof(int);
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

/*
 * The bytes behind the header belong to the handler: one too many that we take is lost to it.  A
 * socket shows what has come before we take it; of a pipe we take a byte at a time.
 *
 * Returns 0 with the header in h, whose texts point into buf.  Otherwise the exit status; the log
 * has been told, unless the client left before it said a word, as a probe of the port does.
 */
static int read_header(struct proxyhdr *h, char buf[PROXYHDR_MAX], uint64_t deadline_ms)
{
	bool peeks = is_stream(0);
	size_t len = 0;

	for (;;) {
		enum proxyhdr_verdict verdict;
		size_t room = PROXYHDR_MAX - len; /* a full buffer has a verdict */
		ssize_t n = peeks ? peek_until(0, buf + len, room, deadline_ms)
				  : io_read_until(0, buf + len, 1, deadline_ms);

		if (len == 0 && (n == 0 || (n < 0 && errno == ECONNRESET)))
			return -1;
		if (n <= 0) {
			dprintf(2, "proxy: no whole header: %s\n",
				n == 0               ? "the connection ended"
				: errno == ETIMEDOUT ? "not in time"
						     : strerror(errno));
			return EXIT_REFUSED;
		}
		verdict = proxyhdr_parse(h, buf, len + (size_t)n);
		if (verdict == PROXYHDR_BAD) {
			dprintf(2, "proxy: bad header: %s\n", h->why);
			return EXIT_REFUSED;
		}
		if (verdict == PROXYHDR_DONE)
			n = (ssize_t)(h->len - len);
		if (peeks && recv(0, buf + len, (size_t)n, MSG_DONTWAIT) != n) {
			dprintf(2, "proxy: the header changed while it was read\n");
			return EXIT_REFUSED;
		}
		len += (size_t)n;
		if (verdict == PROXYHDR_DONE)
			return 0;
	}
}

/* ---------------------------------------------------------------- the rest */

/* The client may still be sending: without the drain, a reset could overtake the text. */
static void say_no(struct proxyhdr_text text)
{
	if (text.len == 0)
		return;
	signal(SIGPIPE, SIG_IGN);
	io_limit_stall(1, STALL_MS);
	if (io_write_all(1, text.at, text.len) == 0)
		linger_close(0, 1);
}

/* Seconds, of which a fraction may be given to the thousandth.  0 if it is none. */
static uint64_t read_seconds(const char *text)
{
	uint64_t ms = 0;
	unsigned unit = 1000;
	bool fraction = false;

	if (*text == '.')
		return 0;
	for (; *text; text++) {
		if (*text == '.' && !fraction) {
			fraction = true;
			continue;
		}
		if (*text < '0' || *text > '9' || (fraction && unit == 1))
			return 0;
		if (fraction) {
			unit /= 10;
			ms += (uint64_t)(*text - '0') * unit;
		} else {
			ms = 10 * ms + (uint64_t)(*text - '0') * unit;
		}
		if (ms > PATIENCE_MAX_MS)
			return 0;
	}
	return ms;
}

static int usage(void)
{
	fprintf(stderr, "usage: proxy [-T SECONDS] PROG [ARG ...]\n");
	return EXIT_USAGE;
}

int main(int argc, char *argv[])
{
	static char buf[PROXYHDR_MAX];
	uint64_t patience = PATIENCE_MS;
	struct proxyhdr_text text;
	struct proxyhdr h;
	int opt, judge, status;

	/* "+": the options end at PROG, what follows is its own. */
	while ((opt = getopt(argc, argv, "+T:")) != -1) {
		patience = opt == 'T' ? read_seconds(optarg) : 0;
		if (patience == 0)
			return usage();
	}
	if (optind == argc)
		return usage();

	judge = admit_take();
	if (judge == ADMIT_BROKEN) {
		fprintf(stderr, "proxy: SUPERD_ADMIT is no packet socket\n");
		return EXIT_SYSTEM;
	}
	status = read_header(&h, buf, io_now_ms() + patience);
	if (status != 0)
		return status < 0 ? 0 : status;
	if (judge != ADMIT_NOBODY) {
		switch (admit_ask(judge, &h, io_now_ms() + patience, &text)) {
		case ADMIT_OK:
			break;
		case ADMIT_NO:
			say_no(text);
			return 0;
		case ADMIT_ERROR:
			return EXIT_SYSTEM;
		}
	}
	if (h.kind != PROXYHDR_LOCAL && proxyenv_put(&h) < 0) {
		fprintf(stderr, "proxy: %s\n", strerror(errno));
		return EXIT_SYSTEM;
	}
	execvp(argv[optind], argv + optind);
	status = errno == ENOENT ? EXIT_MISSING : EXIT_EXEC;
	fprintf(stderr, "proxy: %s: %s\n", argv[optind], strerror(errno));
	return status;
}
