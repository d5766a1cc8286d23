/* chargen: characters without end, in a pattern that shows a loss (RFC 864).  Over UDP, as many as
 * were sent to it: a forged sender is hit by no more than the forger spends. */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "handlers/common/datagram.h"
#include "handlers/common/io.h"

/* Each line has the printable characters from its own on, and begins one later than the last. */
enum { FIRST = ' ', KINDS = 95, WIDTH = 72, LINE = WIDTH + 2, UDP_MAX = 512 };

static char pattern[KINDS * LINE];

static void draw(void)
{
	for (int i = 0; i < KINDS; i++) {
		char *line = pattern + i * LINE;

		for (int j = 0; j < WIDTH; j++)
			line[j] = (char)(FIRST + (i + j) % KINDS);
		line[WIDTH] = '\r';
		line[WIDTH + 1] = '\n';
	}
}

/* Up to 512 characters, the RFC says. */
static ssize_t some(char buf[DATAGRAM_MAX], size_t len)
{
	static int next;
	size_t size = len < UDP_MAX ? len : UDP_MAX;

	if (len == 0)
		return -1;
	for (size_t i = 0; i < size; i++)
		buf[i] = pattern[((size_t)next * LINE + i) % sizeof(pattern)];
	next = (next + 1) % KINDS;
	return (ssize_t)size;
}

int main(int argc, char *argv[])
{
	struct datagram d;
	char waste[4096];

	if (!datagram_options(&d, "chargen", argc, argv))
		return 100;
	draw();
	if (datagram_given())
		return datagram_serve(&d, some);
	signal(SIGPIPE, SIG_IGN);
	while (io_write_all(1, pattern, sizeof(pattern)) == 0) {
		/* What comes is thrown away; that no more will come is no reason to stop. */
		while (recv(0, waste, sizeof(waste), MSG_DONTWAIT) > 0)
			;
	}
	return io_farewell("chargen");
}
