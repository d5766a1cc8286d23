#include "daemon/os/notify.h"

#include "daemon/base/fd.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Opened anew each time: there are a few messages in a life. */
static void send_to(const char *path, const char *text, size_t len)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	int fd;

	if ((path[0] != '/' && path[0] != '@') || n >= sizeof to.sun_path)
		return;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	sendto(fd, text, len, MSG_NOSIGNAL, (const struct sockaddr *)&to,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}

void notify(const char *format, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	char text[1024];
	va_list ap;
	int n;

	if (!path)
		return;
	va_start(ap, format);
	n = vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (n > 0 && n < (int)sizeof text)
		send_to(path, text, (size_t)n);
}

uint64_t notify_watchdog_ms(void)
{
	const char *span = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!span || (pid && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	return strtoull(span, NULL, 10) / 1000;
}
