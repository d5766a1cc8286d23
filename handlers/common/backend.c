#include "handlers/common/backend.h"

#include "handlers/common/signals.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void backend_adopt(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/* ---- the child ---- */

/* Returns if it cannot; errno says why. */
static void become(const struct backend *b)
{
	setpgid(0, 0);
	/* Should we be killed, nobody else would stop it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	close(0);
	if (open("/dev/null", O_RDWR) != 0 || dup2(2, 1) < 0)
		return;
	setrlimit(RLIMIT_NOFILE, &b->nofile);
	signals_reset();
	execvp(b->argv[0], b->argv);
}

int backend_start(struct backend *b)
{
	pid_t pid;

	assert(b->state == BACKEND_DOWN);
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		int status;

		become(b);
		status = errno == ENOENT ? 127 : 126;
		dprintf(2, "%s: %s\n", b->argv[0], strerror(errno));
		_exit(status);
	}
	/* In both processes, so that neither can be too early. */
	setpgid(pid, pid);
	b->group = pid;
	b->state = BACKEND_RUNNING;
	b->status = 0;
	return 0;
}

/* ---- its end ---- */

/* As long as a child of ours is in the group, its number cannot be another's. */
static bool group_exists(const struct backend *b)
{
	siginfo_t info;

	return waitid(P_PGID, (id_t)b->group, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void signal_group(const struct backend *b, int number)
{
	if (group_exists(b))
		kill(-b->group, number);
}

static void settle(struct backend *b)
{
	if (b->state == BACKEND_STOPPING && !group_exists(b)) {
		b->state = BACKEND_DOWN;
		b->group = 0;
	}
}

void backend_stop(struct backend *b, uint64_t now_ms)
{
	if (b->state != BACKEND_RUNNING)
		return;
	b->state = BACKEND_STOPPING;
	b->kill_at_ms = now_ms + b->grace_ms;
	signal_group(b, SIGTERM);
	settle(b);
}

bool backend_reap(struct backend *b, uint64_t now_ms)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != b->group)
			continue;
		b->status = status;
		ended = b->state == BACKEND_RUNNING;
	}
	if (ended)
		backend_stop(b, now_ms); /* who is left of the group */
	settle(b);
	return ended;
}

void backend_tick(struct backend *b, uint64_t now_ms)
{
	if (b->state == BACKEND_STOPPING && now_ms >= b->kill_at_ms) {
		signal_group(b, SIGKILL);
		settle(b);
	}
}
