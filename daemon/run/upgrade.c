#include "daemon/run/upgrade.h"

#include "daemon/base/clock.h"
#include "daemon/base/fd.h"
#include "daemon/os/caps.h"
#include "daemon/run/control.h"
#include "daemon/run/daemon.h"
#include "daemon/run/handover.h"
#include "daemon/run/handover_values.h"
#include "daemon/run/manager.h"
#include "daemon/run/poll.h"
#include "daemon/run/reports.h"
#include "daemon/run/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ASK_MS 60000   /* for the new program to say whether it can */
#define SETTLE_MS 1000 /* for children that have not exec'ed yet */
#define LOG_MS 500     /* for a log that takes its time */
#define WORDS_MAX 4096 /* of what the new program says against it */

struct upgrade {
	pid_t pid;           /* of the new program, while it is asked */
	int words_fd;        /* what it says */
	int state_fd;        /* what it is shown */
	struct event *timer; /* owned */
};

static void failed(struct daemon *d, const char *why)
{
	log_say(LOG_ERROR, "upgrade-failed", "%s", why);
	control_upgraded(d->control, why);
}

/* ---- the state */

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* The state in a descriptor, -1 with errno. */
static int save_state(struct daemon *d, struct inheritance *in)
{
	json_t *state = handover_save(d, in);
	char *text = json_dumps(state, JSON_COMPACT);
	int fd = memfd_create("superd-state", MFD_CLOEXEC);

	json_decref(state);
	if (fd >= 0 && (!text || write_all(fd, text, strlen(text)) < 0)) {
		int why = text ? errno : ENOMEM;

		fd_close(&fd);
		errno = why;
	}
	free(text);
	return fd_settle(fd);
}

/* ---- arguments */

/* superd --inherit N [-t] and what it was started with.  The caller frees the array. */
static char **arguments(const struct daemon_options *o, char *number, bool test)
{
	size_t n = 0, k = 0;
	char **list;

	while (o->arguments[n])
		n++;
	list = mem_array(n + 5, sizeof *list);
	list[k++] = (char *)"superd";
	list[k++] = (char *)"--inherit";
	list[k++] = number;
	if (test)
		list[k++] = (char *)"-t";
	memcpy(list + k, o->arguments, n * sizeof *list);
	return list;
}

/* ---- asking the new one */

static int spawn(struct daemon *d, const char *folder, int words, pid_t *pid)
{
	char number[] = "3", *program = d->options->program;
	char **argv = arguments(d->options, number, true);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int error;

	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, d->upgrade->state_fd, 3);
	posix_spawn_file_actions_adddup2(&actions, words, STDERR_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addchdir_np(&actions, folder);
	error = posix_spawn(pid, program, &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	free(argv);
	return error;
}

static int ask(struct daemon *d)
{
	struct inheritance in = { 0 };
	struct upgrade *u = d->upgrade;
	int ends[2], error;

	u->state_fd = save_state(d, &in);
	free(in.fds);
	if (u->state_fd < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return errno;
	u->words_fd = fd_settle(ends[0]);
	error = spawn(d, d->options->folder, ends[1], &u->pid);
	close(ends[1]);
	return error;
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	log_say(LOG_ERROR, "upgrade-failed", "the new program does not answer");
	kill(d->upgrade->pid, SIGKILL);
}

void upgrade_free(struct daemon *d)
{
	if (!d->upgrade)
		return;
	poll_forget(&d->upgrade->timer);
	if (d->upgrade->pid)
		kill(d->upgrade->pid, SIGKILL);
	fd_close(&d->upgrade->words_fd);
	fd_close(&d->upgrade->state_fd);
	free(d->upgrade);
	d->upgrade = NULL;
}

void upgrade(struct daemon *d)
{
	int error;

	if (d->upgrade)
		return; /* it is under way; both are answered */
	if (d->phase != PHASE_SERVE) {
		failed(d, "superd is stopping");
		return;
	}
	if (!d->options->arguments) {
		failed(d, "the configuration came from the standard input, which cannot be read "
			  "again");
		return;
	}
	d->upgrade = mem_new(sizeof *d->upgrade);
	d->upgrade->words_fd = d->upgrade->state_fd = -1;
	/* Where clients have taken all descriptors, too. */
	reserve_release(d);
	error = ask(d);
	reserve_fill(d);
	if (error) {
		char why[256];

		d->upgrade->pid = 0;
		upgrade_free(d);
		snprintf(why, sizeof why, "%s: %s", d->options->program, strerror(error));
		failed(d, why);
		return;
	}
	poll_after(&d->upgrade->timer, d->base, ASK_MS, on_timeout, d);
}

/* ---- becoming it */

static void set_inherited(const struct inheritance *in, bool yes)
{
	for (size_t i = 0; i < in->count; i++)
		fcntl(in->fds[i], F_SETFD, yes ? 0 : FD_CLOEXEC);
}

/* Returns only if it failed. */
static void become(struct daemon *d)
{
	struct inheritance in = { 0 };
	char number[16], why[256], **argv;
	int fd;

	start_settle(d->starter, SETTLE_MS);
	reports_read(d);
	reserve_release(d);
	fd = save_state(d, &in);
	if (fd < 0) {
		failed(d, "no memory for the state");
		free(in.fds);
		reserve_fill(d);
		return;
	}
	manager_reloading();
	log_drain(LOG_MS);
	caps_carry(true);
	set_inherited(&in, true);
	fcntl(fd, F_SETFD, 0);
	snprintf(number, sizeof number, "%d", fd);
	argv = arguments(d->options, number, false);
	if (chdir(d->options->folder) == 0)
		execv(d->options->program, argv);
	snprintf(why, sizeof why, "%s: %s", d->options->program, strerror(errno));
	if (chdir("/") < 0)
		fatal("chdir /: %m");
	caps_carry(false);
	set_inherited(&in, false);
	fd_close(&fd);
	free(in.fds);
	free(argv);
	reserve_fill(d);
	manager_ready(d);
	failed(d, why);
}

/* What it said goes to the log, and its first line to who asked. */
static void tell_words(struct daemon *d, int wait_status)
{
	char words[WORDS_MAX], *line, *rest = words, first[512] = "";
	ssize_t n = read(d->upgrade->words_fd, words, sizeof words - 1);

	words[n > 0 ? n : 0] = '\0';
	while ((line = strsep(&rest, "\n")))
		if (*line) {
			if (!*first)
				snprintf(first, sizeof first, "the new program says: %s", line);
			log_say(LOG_ERROR, "upgrade-failed", "%s", line);
		}
	if (!*first && WIFSIGNALED(wait_status))
		snprintf(first, sizeof first, "the new program was ended by signal %s",
			sigabbrev_np(WTERMSIG(wait_status)));
	else if (!*first)
		snprintf(first, sizeof first, "the new program exits %d", WEXITSTATUS(wait_status));
	failed(d, first);
}

bool upgrade_reaped(struct daemon *d, pid_t pid, int wait_status)
{
	bool good = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;

	if (!d->upgrade || d->upgrade->pid != pid)
		return false;
	d->upgrade->pid = 0;
	if (!good)
		tell_words(d, wait_status);
	else if (d->phase != PHASE_SERVE)
		failed(d, "superd is stopping");
	else
		d->upgrade_due = true;
	upgrade_free(d);
	return true;
}

void upgrade_check(struct daemon *d)
{
	if (!d->upgrade_due)
		return;
	d->upgrade_due = false;
	/* Somebody may have stopped it in the same turn of the loop. */
	if (d->phase == PHASE_SERVE)
		become(d);
	else
		failed(d, "superd is stopping");
}
