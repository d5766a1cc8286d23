#include "daemon/run/leftover.h"

#include "daemon/run/poll.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

struct leftover {
	struct leftover *next;
	pid_t group;
	uint64_t kill_at_ms;
	struct event *kill; /* owned; NULL: it may stay */
};

void leftover_adopt(void)
{
	/* Where the kernel cannot do it, an orphan goes to init as ever. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static bool nobody_is(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

/* Its leader was reaped, and while the group lasts the kernel gives its number to nobody.  So if a
 * process has that number, the group ended unseen (its last one had another parent), and the one
 * that has it now is somebody else's. */
static bool is_gone(pid_t group)
{
	return nobody_is(-group) || !nobody_is(group);
}

static void leftover_free(struct leftover *l)
{
	poll_forget(&l->kill);
	free(l);
}

static void on_grace_over(evutil_socket_t fd, short what, void *arg)
{
	struct leftover *l = arg;

	(void)fd;
	(void)what;
	if (!is_gone(l->group))
		kill(-l->group, SIGKILL);
}

static void kill_at(struct daemon *d, struct leftover *l, uint64_t at_ms)
{
	l->kill_at_ms = at_ms;
	poll_at(&l->kill, d->base, at_ms, on_grace_over, l);
}

void leftover_watch(struct daemon *d, pid_t group, uint64_t kill_at_ms)
{
	struct leftover *l;

	if (is_gone(group))
		return;
	l = mem_new(sizeof *l);
	l->group = group;
	l->next = d->leftovers;
	d->leftovers = l;
	if (kill_at_ms)
		kill_at(d, l, kill_at_ms);
}

void leftover_check(struct daemon *d)
{
	struct leftover **link = &d->leftovers;

	while (*link) {
		struct leftover *l = *link;

		if (is_gone(l->group)) {
			*link = l->next;
			leftover_free(l);
		} else {
			link = &l->next;
		}
	}
}

bool leftover_kill(struct daemon *d, int signal)
{
	leftover_check(d);
	for (struct leftover *l = d->leftovers; l; l = l->next)
		kill(-l->group, signal);
	return d->leftovers != NULL;
}

void leftovers_each(const struct daemon *d,
	void (*each)(pid_t group, uint64_t kill_at_ms, void *context), void *context)
{
	for (const struct leftover *l = d->leftovers; l; l = l->next)
		each(l->group, l->kill_at_ms, context);
}

void leftovers_free(struct daemon *d)
{
	while (d->leftovers) {
		struct leftover *l = d->leftovers;

		d->leftovers = l->next;
		leftover_free(l);
	}
}
