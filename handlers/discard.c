/* discard: throws away what it gets until the input ends (RFC 863). */
#include "handlers/common/datagram.h"
#include "handlers/common/io.h"

static ssize_t nothing(char buf[DATAGRAM_MAX], size_t len)
{
	(void)buf;
	(void)len;
	return -1;
}

int main(int argc, char *argv[])
{
	struct datagram d;
	char buf[16384];
	ssize_t n;

	if (!datagram_options(&d, "discard", argc, argv))
		return 100;
	if (datagram_given())
		return datagram_serve(&d, nothing);
	while ((n = io_read(0, buf, sizeof(buf))) > 0)
		;
	return n < 0 ? io_farewell("discard") : 0;
}
