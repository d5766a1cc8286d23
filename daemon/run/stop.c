#include "daemon/run/stop.h"

#include "daemon/os/notify.h"
#include "daemon/run/deadline.h"
#include "daemon/run/leftover.h"
#include "daemon/run/linger.h"
#include "daemon/run/listener.h"
#include "daemon/run/poll.h"
#include "daemon/run/queue.h"
#include "daemon/run/wait.h"

#include <inttypes.h>
#include <signal.h>

#define LEFTOVER_GRACE_MS 1000
#define AFTER_KILL_MS 2000 /* a process that KILL does not end hangs in the kernel */
#define SLACK_MS 10000     /* for the service manager: what else an end takes */

static void tell(struct daemon *d, const char *phase, const char *signal)
{
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "stop");
	log_str(&l, "phase", phase);
	log_str(&l, "signal", signal);
	log_num(&l, "live", d->live);
	log_end(&l);
}

static void on_phase_over(evutil_socket_t fd, short what, void *arg);

static void set_timer(struct daemon *d, uint64_t ms)
{
	poll_after(&d->phase_timer, d->base, ms, on_phase_over, d);
	/* How long a stop takes is said in our configuration, whatever the manager's patience. */
	notify("EXTEND_TIMEOUT_USEC=%" PRIu64, (ms + SLACK_MS) * 1000);
}

/* Each handler has its own grace; the timer is behind the longest. */
static void end_handlers(struct daemon *d, const char *signal)
{
	uint64_t longest_ms = LEFTOVER_GRACE_MS;
	struct conn *c, *next;

	d->phase = PHASE_END;
	tell(d, "terminate", signal);
	HASH_ITER (hh, d->conns, c, next) {
		deadline_end(c);
		if (c->service->kill_grace_ms > longest_ms)
			longest_ms = c->service->kill_grace_ms;
	}
	leftover_kill(d, SIGTERM);
	set_timer(d, d->live ? longest_ms + AFTER_KILL_MS : LEFTOVER_GRACE_MS);
}

static void on_phase_over(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	if (d->phase == PHASE_DRAIN) {
		end_handlers(d, NULL);
		return;
	}
	leftover_kill(d, SIGKILL);
	d->done = true;
}

void stop(struct daemon *d, const char *signal)
{
	struct unit *u;

	switch (d->phase) {
	case PHASE_SERVE:
		d->phase = PHASE_DRAIN;
		notify("STOPPING=1");
		tell(d, "drain", signal);
		TAILQ_FOREACH (u, &d->units, all) {
			listeners_close(u);
			queue_refuse_all(u);
		}
		wait_stop(d);
		set_timer(d, d->config->stop_timeout_ms);
		break;
	case PHASE_DRAIN:
		end_handlers(d, signal);
		break;
	case PHASE_END:
		break;
	}
}

void stop_check(struct daemon *d)
{
	if (d->phase == PHASE_SERVE || d->live)
		return;
	if (lingers_any(d) && d->phase == PHASE_DRAIN)
		return;
	if (!d->leftovers)
		d->done = true;
	else if (d->phase == PHASE_DRAIN)
		end_handlers(d, NULL);
}
