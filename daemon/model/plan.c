#include "daemon/model/plan.h"

#include <string.h>

#define STEP(s) (UINT32_C(1) << (s))

static bool same_groups(const struct identity *a, const struct identity *b)
{
	return a->groups_count == b->groups_count &&
	       (!a->groups_count ||
		       memcmp(a->groups, b->groups, a->groups_count * sizeof *a->groups) == 0);
}

/* Without root there is one identity, ours, and the groups cannot be set (H17). */
static uint32_t identity_steps(const struct identity *wanted, const struct host *h)
{
	uint32_t steps = 0;

	if (!wanted->set || !h->root)
		return 0;
	if (!same_groups(wanted, &h->identity))
		steps |= STEP(STEP_GROUPS);
	if (wanted->gid != h->identity.gid)
		steps |= STEP(STEP_GID);
	if (wanted->uid != h->identity.uid)
		steps |= STEP(STEP_UID);
	return steps;
}

uint32_t plan_steps(const struct service *s, const struct host *h, bool share_files)
{
	uint32_t steps = STEP(STEP_SESSION) | STEP(STEP_STDIN) | STEP(STEP_STDOUT) |
			 STEP(STEP_STDERR) | STEP(STEP_SIGNALS) | STEP(STEP_EXEC);

	if (s->proxied)
		steps |= STEP(STEP_ADMIT);
	if (s->wait)
		steps |= STEP(STEP_REPORT) | STEP(STEP_LISTEN);
	if (share_files)
		steps |= STEP(STEP_FILES);
	if (h->close_range)
		steps |= STEP(STEP_PRUNE);
	if (h->nofile_raised)
		steps |= STEP(STEP_NOFILE);
	if (s->limits_count)
		steps |= STEP(STEP_LIMITS);
	if (s->nice)
		steps |= STEP(STEP_NICE);
	if (s->umask != h->umask)
		steps |= STEP(STEP_UMASK);
	if (s->chroot)
		steps |= STEP(STEP_CHROOT) | STEP(STEP_ROOT);
	steps |= identity_steps(&s->identity, h);
	/* superd itself stands in "/". */
	if (strcmp(s->directory, "/") != 0)
		steps |= STEP(STEP_DIRECTORY);
	if (s->no_new_privs)
		steps |= STEP(STEP_NO_NEW_PRIVS);
	return steps;
}

const char *plan_step_name(enum step step)
{
	static const char *const names[STEP_COUNT] = {
		[STEP_SESSION] = "setsid",
		[STEP_FILES] = "close_range",
		[STEP_STDIN] = "dup2",
		[STEP_STDOUT] = "dup2",
		[STEP_STDERR] = "dup2",
		[STEP_ADMIT] = "dup2",
		[STEP_REPORT] = "dup3",
		[STEP_LISTEN] = "dup2",
		[STEP_PRUNE] = "close_range",
		[STEP_NOFILE] = "setrlimit",
		[STEP_LIMITS] = "setrlimit",
		[STEP_NICE] = "setpriority",
		[STEP_UMASK] = "umask",
		[STEP_CHROOT] = "chroot",
		[STEP_ROOT] = "chdir",
		[STEP_GROUPS] = "setgroups",
		[STEP_GID] = "setresgid",
		[STEP_UID] = "setresuid",
		[STEP_DIRECTORY] = "chdir",
		[STEP_NO_NEW_PRIVS] = "prctl",
		[STEP_SIGNALS] = "rt_sigprocmask",
		[STEP_EXEC] = "execve",
	};

	return step < STEP_COUNT ? names[step] : "?";
}
