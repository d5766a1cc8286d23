/* echo: gives back what it gets until the input ends (RFC 862).  The smallest useful handler, and
 * the same over UDP. */
#include <signal.h>

#include "handlers/common/datagram.h"
#include "handlers/common/io.h"

static ssize_t same(char buf[DATAGRAM_MAX], size_t len)
{
	(void)buf;
	return (ssize_t)len;
}

int main(int argc, char *argv[])
{
	struct datagram d;
	char buf[16384];
	ssize_t n;

	if (!datagram_options(&d, "echo", argc, argv))
		return 100;
	if (datagram_given())
		return datagram_serve(&d, same);
	/* A peer that stops listening is a normal end here, not a death by signal in the log. */
	signal(SIGPIPE, SIG_IGN);
	while ((n = io_read(0, buf, sizeof(buf))) != 0) {
		if (n < 0 || io_write_all(1, buf, (size_t)n) < 0)
			return io_farewell("echo");
	}
	return 0;
}
