#include "daemon/os/detach.h"

#include "daemon/base/fd.h"
#include "daemon/base/log.h"
#include "daemon/os/steps.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void wait_for(pid_t child, int fd)
{
	char byte;
	int status;

	if (read(fd, &byte, 1) == 1)
		_exit(0);
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		_exit(111);
	_exit(WEXITSTATUS(status));
}

int detach(void)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		fatal("cannot open a pipe: %m");
	/* A parent that ignores SIGCHLD could not tell how it went. */
	signal(SIGCHLD, SIG_DFL);
	child = fork();
	if (child < 0)
		fatal("cannot go to the background: %m");
	if (child) {
		close(ends[1]);
		wait_for(child, ends[0]);
	}
	close(ends[0]);
	setsid();
	/* Not where start_new puts its own. */
	return fd_raise(ends[1], STEPS_WAKE_FD + 1);
}

void detach_done(int *fd)
{
	int null = open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);

	for (int i = 0; null >= 0 && i <= 2; i++)
		dup2(null, i);
	fd_close(&null);
	(void)!write(*fd, "", 1);
	fd_close(fd);
}
