#include "daemon/run/activity.h"

#include "daemon/base/clock.h"
#include "daemon/base/fd.h"

#include <sys/epoll.h>

#define EVENTS 256 /* a call */

int activity_open(struct daemon *d)
{
	if (d->activity < 0)
		d->activity = fd_settle(epoll_create1(EPOLL_CLOEXEC));
	return d->activity < 0 ? -1 : 0;
}

bool activity_add(struct daemon *d, int fd, uint64_t *moved_ms)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = moved_ms };

	return fd >= 0 && d->activity >= 0 && epoll_ctl(d->activity, EPOLL_CTL_ADD, fd, &e) == 0;
}

void activity_remove(struct daemon *d, int fd)
{
	if (fd >= 0 && d->activity >= 0)
		epoll_ctl(d->activity, EPOLL_CTL_DEL, fd, NULL);
}

void activity_look(struct daemon *d)
{
	struct epoll_event events[EVENTS];
	uint64_t now_ms = clock_ms();
	int n;

	/* One that was told is not told again until it moves. */
	do {
		n = epoll_wait(d->activity, events, EVENTS, 0);
		for (int i = 0; i < n; i++)
			*(uint64_t *)events[i].data.ptr = now_ms;
	} while (n == EVENTS);
}
