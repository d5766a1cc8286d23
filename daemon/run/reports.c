#include "daemon/run/reports.h"

#include "daemon/os/executable.h"
#include "daemon/run/conns.h"
#include "daemon/run/tour.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Kept until its child is reaped. */
static void keep(struct daemon *d, const struct report *r)
{
	d->failures = mem_reserve(
		d->failures, &d->failures_cap, d->failures_count + 1, sizeof *d->failures);
	d->failures[d->failures_count++] = *r;
}

void reports_read(struct daemon *d)
{
	struct report r[64];
	ssize_t n;

	while ((n = read(start_report_fd(d->starter), r, sizeof r)) > 0)
		for (size_t i = 0; i < (size_t)n / sizeof r[0]; i++) {
			tour_step(conn_find(d, r[i].pid), &r[i]);
			if (r[i].result < 0)
				keep(d, &r[i]);
		}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	start_after_wait(d->starter);
	reports_read(d);
}

void reports_watch(struct daemon *d)
{
	d->report_event = event_new(
		d->base, start_report_fd(d->starter), EV_READ | EV_PERSIST, on_readable, d);
	event_add(d->report_event, NULL);
}

/* What the file itself shows of the reason. */
static void log_hint(struct log_line *l, const struct service *s)
{
	char room[512], hint[600];
	bool there;
	const char *wrong = executable_wrong(s->chroot, s->program, &there, room, sizeof room);

	if (!wrong)
		return;
	snprintf(hint, sizeof hint, "the program %s", wrong);
	log_str(l, "hint", hint);
}

static void tell(const struct conn *c, const struct report *r)
{
	const struct service *s = c->service;
	enum step step = (enum step)r->step;
	struct log_line l;

	log_begin(&l, LOG_ERROR, "exec-failed");
	log_str(&l, "service", s->name);
	log_num(&l, "conn", (int64_t)c->id);
	log_num(&l, "pid", c->pid);
	log_str(&l, "call", plan_step_name(step));
	if (step == STEP_EXEC)
		log_str(&l, "program", s->program);
	if (step == STEP_DIRECTORY)
		log_str(&l, "directory", s->directory);
	log_str(&l, "error", strerror(-r->result));
	if (step == STEP_EXEC)
		log_hint(&l, s);
	log_end(&l);
}

void reports_tell_failure(struct daemon *d, const struct conn *c)
{
	reports_read(d);
	for (size_t i = 0; i < d->failures_count; i++)
		if (d->failures[i].pid == c->pid)
			tell(c, &d->failures[i]);
}

void reports_forget(struct daemon *d, const struct conn *c)
{
	for (size_t i = 0; i < d->failures_count;)
		if (d->failures[i].pid == c->pid)
			d->failures[i] = d->failures[--d->failures_count];
		else
			i++;
}

void reports_free(struct daemon *d)
{
	if (d->report_event)
		event_free(d->report_event);
	free(d->failures);
}
