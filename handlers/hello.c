/*
 * hello: a web server in one page.
 *
 * Whatever is asked, it says the same, so it never reads the request.  superd has accepted the
 * connection and made it our standard input and output: a web server is a program that prints.
 */
#include <signal.h>

#include "handlers/common/io.h"
#include "handlers/common/linger.h"

#define BODY "Hello, world!\n"

static const char answer[] = "HTTP/1.1 200 OK\r\n"
			     "Content-Type: text/plain; charset=utf-8\r\n"
			     "Content-Length: 14\r\n"
			     "Connection: close\r\n"
			     "\r\n" BODY;

_Static_assert(sizeof(BODY) - 1 == 14, "the length we promise is the length we send");

int main(void)
{
	/* If the client has already gone, the write below fails instead of killing us. */
	signal(SIGPIPE, SIG_IGN);

	if (io_write_all(1, answer, sizeof(answer) - 1) < 0)
		return io_farewell("hello");

	/*
	 * If we left now, the request would still lie unread in the socket.  The kernel takes that
	 * for an accident and resets the connection, and the reset can destroy the answer on its
	 * way.  So we say that we are done, and read the request after all, if only to forget it.
	 */
	linger_close(0, 1);
	return 0;
}
