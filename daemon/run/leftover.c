#include "daemon/run/leftover.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

struct leftover {
	struct leftover *next;
	pid_t group;
};

void leftover_adopt(void)
{
	/* Where the kernel cannot do it, an orphan goes to init as ever. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static bool is_empty(pid_t group)
{
	return kill(-group, 0) < 0 && errno == ESRCH;
}

void leftover_watch(struct daemon *d, pid_t group)
{
	struct leftover *l;

	if (is_empty(group))
		return;
	l = mem_new(sizeof *l);
	l->group = group;
	l->next = d->leftovers;
	d->leftovers = l;
}

void leftover_check(struct daemon *d)
{
	struct leftover **link = &d->leftovers;

	while (*link) {
		struct leftover *l = *link;

		if (is_empty(l->group)) {
			*link = l->next;
			free(l);
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

void leftovers_free(struct daemon *d)
{
	while (d->leftovers) {
		struct leftover *l = d->leftovers;

		d->leftovers = l->next;
		free(l);
	}
}
