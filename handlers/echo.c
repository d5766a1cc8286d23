/* echo: gives back what it gets until the input ends (RFC 862).  The smallest useful handler. */
#include <signal.h>

#include "handlers/common/io.h"

int main(void)
{
	char buf[16384];
	ssize_t n;

	/* A peer that stops listening is a normal end here, not a death by signal in the log. */
	signal(SIGPIPE, SIG_IGN);
	while ((n = io_read(0, buf, sizeof(buf))) != 0) {
		if (n < 0 || io_write_all(1, buf, (size_t)n) < 0)
			return io_farewell("echo");
	}
	return 0;
}
