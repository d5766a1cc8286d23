#include "handlers/common/admit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handlers/common/io.h"

#define VARIABLE "SUPERD_ADMIT"

/* Digits only: strtol() would take blanks and signs as well. */
static int read_number(const char *text)
{
	int n = 0;

	if (!*text || strlen(text) > 6)
		return ADMIT_BROKEN;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return ADMIT_BROKEN;
		n = 10 * n + (*text - '0');
	}
	return n;
}

int admit_take(void)
{
	const char *value = getenv(VARIABLE);
	socklen_t len = sizeof(int);
	int fd, type = 0;

	if (!value)
		return ADMIT_NOBODY;
	fd = read_number(value);
	unsetenv(VARIABLE);
	/* 0, 1 and 2 belong to the client and to the log.  And a stream could cut a packet. */
	if (fd <= 2 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
		type != SOCK_SEQPACKET || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return ADMIT_BROKEN;
	return fd;
}

static size_t write_request(char *line, size_t size, const struct proxyhdr *h)
{
	switch (h->kind) {
	case PROXYHDR_LOCAL:
		return (size_t)snprintf(line, size, "LOCAL\n");
	case PROXYHDR_UNIX:
		return (size_t)snprintf(line, size, "UNIX\n");
	case PROXYHDR_TCP:
		break;
	}
	return (size_t)snprintf(line, size, "TCP %s %u %s %u\n", h->remote.ip, h->remote.port,
		h->local.ip, h->local.port);
}

static enum admit_verdict read_answer(const char *answer, size_t len, struct proxyhdr_text *text)
{
	*text = (struct proxyhdr_text){ NULL, 0 };
	if (len == 3 && memcmp(answer, "ok\n", 3) == 0)
		return ADMIT_OK;
	if (len == 3 && memcmp(answer, "no\n", 3) == 0)
		return ADMIT_NO;
	if (len < 3 || memcmp(answer, "no ", 3) != 0)
		return ADMIT_ERROR;
	*text = (struct proxyhdr_text){ answer + 3, len - 3 };
	return ADMIT_NO;
}

enum admit_verdict admit_ask(
	int fd, const struct proxyhdr *h, uint64_t deadline_ms, struct proxyhdr_text *text)
{
	static char answer[65536 + 4]; /* no page of it is touched that is not needed */
	char line[2 * INET6_ADDRSTRLEN + 32];
	size_t len = write_request(line, sizeof(line), h);
	enum admit_verdict verdict = ADMIT_ERROR;
	const char *why = "superd gives no answer that is known here";
	ssize_t n;

	/* The queue of a fresh socket has room: to wait for it would only hide an error. */
	n = send(fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n >= 0)
		n = io_read_until(fd, answer, sizeof(answer), deadline_ms);
	if (n < 0)
		why = strerror(errno);
	else if (n == 0)
		why = "superd has left";
	else if ((size_t)n < sizeof(answer)) /* a full buffer may lack the rest of the packet */
		verdict = read_answer(answer, (size_t)n, text);
	if (verdict == ADMIT_ERROR)
		dprintf(2, "proxy: " VARIABLE ": %s\n", why);
	close(fd);
	return verdict;
}
