#include "daemon/run/handout.h"

#include "daemon/os/sockopt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PID_VARIABLE "LISTEN_PID="
#define NAMES_VARIABLE "LISTEN_FDNAMES="

struct handout *handout_new(const struct waiter *w)
{
	const char *name = w->unit->service->name;
	size_t room = sizeof NAMES_VARIABLE + PLAN_LISTENERS_MAX * (strlen(name) + 1);
	struct handout *h = mem_new(sizeof *h + room);
	char *end = stpcpy(h->names, NAMES_VARIABLE);

	for (struct listener *l = waiter_first(w); l && h->count < PLAN_LISTENERS_MAX;
		l = waiter_next(w, l)) {
		if (l->fd < 0)
			continue;
		if (h->count)
			*end++ = ':';
		end = stpcpy(end, name);
		/* As socket(2) makes it, whatever the one before made of it. */
		if (!w->live)
			sockopt_block(l->fd, true);
		l->lent = true;
		h->listeners[h->count] = l;
		h->fds[h->count++] = l->fd;
	}
	snprintf(h->fds_text, sizeof h->fds_text, "LISTEN_FDS=%d", h->count);
	strcpy(h->pid_text, PID_VARIABLE);
	return h;
}

int handout_copy_first(const struct handout *h)
{
	if (!h->count) {
		errno = EMFILE;
		return -1;
	}
	return fcntl(h->fds[0], F_DUPFD_CLOEXEC, 0);
}

struct handout *handout_restored(const struct unit *u, const bool *has)
{
	struct handout *h = mem_new(sizeof *h + 1);
	const struct listener *l;
	size_t i = 0;

	TAILQ_FOREACH (l, &u->listeners, all)
		if (has[i++] && h->count < PLAN_LISTENERS_MAX)
			h->listeners[h->count++] = l;
	return h;
}

void handout_plan(struct handout *h, struct plan *plan)
{
	plan->listeners = h->fds;
	plan->listeners_count = h->count;
	plan->listen_pid = h->pid_text + strlen(PID_VARIABLE);
}

void handout_environ(const struct handout *h, const char **envp)
{
	*envp++ = h->fds_text;
	*envp++ = h->pid_text;
	*envp++ = h->names;
	*envp = NULL;
}

bool handout_has(const struct handout *h, const struct listener *l)
{
	for (int i = 0; i < h->count; i++)
		if (h->listeners[i] == l)
			return true;
	return false;
}

bool handout_is_of(const struct handout *h, const struct unit *u)
{
	for (int i = 0; i < h->count; i++) {
		const struct listener *l;

		TAILQ_FOREACH (l, &u->listeners, all)
			if (l == h->listeners[i])
				break;
		if (!l)
			return false;
	}
	return true;
}
