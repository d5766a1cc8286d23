#include "handlers/common/linger.h"

#include <sys/socket.h>

#include "handlers/common/io.h"

void linger_close(int in, int out)
{
	uint64_t end, silence;
	size_t drained = 0;
	char waste[8192];

	/* Not a socket, or the peer has gone: nobody is left whom a reset could hurt. */
	if (shutdown(out, SHUT_WR) < 0)
		return;
	end = io_now_ms() + LINGER_TOTAL_MS;
	while (drained < LINGER_BYTES) {
		ssize_t n;

		silence = io_now_ms() + LINGER_SILENCE_MS;
		n = io_read_until(in, waste, sizeof(waste), silence < end ? silence : end);
		if (n <= 0)
			return;
		drained += (size_t)n;
		/* poll() with no time left still reports what is there: ask the clock as well. */
		if (io_now_ms() >= end)
			return;
	}
}
