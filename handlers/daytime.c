/* daytime: says what day and time it is, in words (RFC 867), as inetd does. */
#include <signal.h>
#include <time.h>

#include "handlers/common/datagram.h"
#include "handlers/common/io.h"
#include "handlers/common/linger.h"

enum { LINE = 64 };

static ssize_t tell(char *buf, size_t len)
{
	time_t now = time(NULL);
	struct tm day;

	(void)len;
	if (!localtime_r(&now, &day))
		return -1;
	return (ssize_t)strftime(buf, LINE, "%a %b %e %H:%M:%S %Y\r\n", &day);
}

int main(int argc, char *argv[])
{
	struct datagram d;
	char line[LINE];
	ssize_t n;

	if (!datagram_options(&d, "daytime", argc, argv))
		return 100;
	if (datagram_given())
		return datagram_serve(&d, tell);
	signal(SIGPIPE, SIG_IGN);
	n = tell(line, 0);
	if (n < 0 || io_write_all(1, line, (size_t)n) < 0)
		return io_farewell("daytime");
	linger_close(0, 1);
	return 0;
}
