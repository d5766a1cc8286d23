#include "daemon/run/conns.h"

#include "daemon/base/clock.h"
#include "daemon/run/capture.h"
#include "daemon/run/leftover.h"
#include "daemon/run/listener.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

struct conn *conn_new(struct unit *u, const struct addr *peer)
{
	size_t envp = u->service->env_count + ENV_CONN_MAX + 1;
	struct conn *c = mem_new(sizeof *c + envp * sizeof c->envp[0]);

	c->unit = u;
	c->peer = *peer;
	c->id = ++u->daemon->next_conn;
	c->start_us = clock_us();
	u->accepted++;
	u->live++;
	u->daemon->live++;
	return c;
}

static void log_conn(struct log_line *l, const struct conn *c)
{
	char text[ADDR_TEXT_MAX];

	if (!l->wanted)
		return;
	log_str(l, "service", c->unit->service->name);
	log_num(l, "conn", (int64_t)c->id);
	log_str(l, "peer", addr_format(&c->peer, text));
}

void conn_started(struct conn *c, pid_t pid, const struct addr *local)
{
	struct daemon *d = c->unit->daemon;
	char text[ADDR_TEXT_MAX];
	struct log_line l;

	c->pid = pid;
	HASH_ADD_INT(d->conns, pid, c);
	if (!log_on(LOG_INFO))
		return;
	log_begin(&l, LOG_INFO, "accept");
	log_conn(&l, c);
	if (local->len)
		log_str(&l, "local", addr_format(local, text));
	log_num(&l, "pid", pid);
	log_end(&l);
}

struct conn *conn_find(const struct daemon *d, pid_t pid)
{
	struct conn *c;

	HASH_FIND_INT(d->conns, &pid, c);
	return c;
}

static int64_t timeval_us(struct timeval t)
{
	return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

static void tell_close(const struct conn *c, int status, const struct rusage *used)
{
	bool fine = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	struct log_line l;

	/* We told it to stop: that it did is no news. */
	log_begin(&l, fine || c->kill ? LOG_INFO : LOG_NOTICE, "close");
	if (!l.wanted)
		return;
	log_conn(&l, c);
	if (c->pid)
		log_num(&l, "pid", c->pid);
	if (WIFSIGNALED(status))
		log_str(&l, "signal", sigabbrev_np(WTERMSIG(status)));
	else
		log_num(&l, "exit", WEXITSTATUS(status));
	log_ms(&l, "duration_ms", (int64_t)(clock_us() - c->start_us));
	if (used) {
		log_ms(&l, "cpu_ms", timeval_us(used->ru_utime) + timeval_us(used->ru_stime));
		log_num(&l, "memory_kb", used->ru_maxrss);
	}
	log_end(&l);
}

void conn_close(struct conn *c, int wait_status, const struct rusage *used)
{
	struct unit *u = c->unit;
	struct daemon *d = u->daemon;

	if (c->capture)
		capture_end(c->capture);
	tell_close(c, wait_status, used);
	if (c->pid) {
		HASH_DEL(d->conns, c);
		leftover_watch(d, c->pid);
	}
	if (c->kill)
		event_free(c->kill);
	u->closed++;
	u->live--;
	d->live--;
	free(c);
	listeners_room(u);
}
