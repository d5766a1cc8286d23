#include "daemon/run/reaper.h"

#include "daemon/run/conns.h"
#include "daemon/run/leftover.h"
#include "daemon/run/reports.h"
#include "daemon/run/tour.h"
#include "daemon/run/upgrade.h"

#include <sys/wait.h>

/* 126 and 127 are what a child exits with that could not exec; a handler may say so too. */
static bool may_have_failed(int status)
{
	return WIFEXITED(status) && (WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127);
}

void reap(struct daemon *d)
{
	bool strangers = false;
	struct rusage used;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0) {
		struct conn *c = conn_find(d, pid);

		if (!c && upgrade_reaped(d, pid, status))
			continue;
		if (!c) {
			strangers = true;
			continue;
		}
		if (log_on(LOG_TOUR))
			reports_read(d);
		if (may_have_failed(status))
			reports_tell_failure(d, c);
		reports_forget(d, c);
		tour_reaped(c, status);
		conn_close(c, status, &used);
	}
	if (strangers)
		leftover_check(d);
}
