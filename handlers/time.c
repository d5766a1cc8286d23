/* time: the seconds since 1900, in four bytes (RFC 868).  They wrap around in February 2036. */
#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "handlers/common/datagram.h"
#include "handlers/common/io.h"
#include "handlers/common/linger.h"

/* From 1900 to 1970: 70 years, 17 of them leap years. */
#define EPOCH ((INT64_C(70) * 365 + 17) * 86400)

static ssize_t tell(char *buf, size_t len)
{
	uint32_t seconds = htonl((uint32_t)((int64_t)time(NULL) + EPOCH));

	(void)len;
	memcpy(buf, &seconds, sizeof(seconds));
	return sizeof(seconds);
}

int main(int argc, char *argv[])
{
	struct datagram d;
	char bytes[sizeof(uint32_t)];

	if (!datagram_options(&d, "time", argc, argv))
		return 100;
	if (datagram_given())
		return datagram_serve(&d, tell);
	signal(SIGPIPE, SIG_IGN);
	if (io_write_all(1, bytes, (size_t)tell(bytes, 0)) < 0)
		return io_farewell("time");
	linger_close(0, 1);
	return 0;
}
