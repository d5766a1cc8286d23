#include "daemon/run/conns.h"

#include "daemon/base/clock.h"
#include "daemon/base/fd.h"
#include "daemon/run/admit.h"
#include "daemon/run/capture.h"
#include "daemon/run/deadline.h"
#include "daemon/run/declare.h"
#include "daemon/run/leftover.h"
#include "daemon/run/linger.h"
#include "daemon/run/listener.h"
#include "daemon/run/peers.h"
#include "daemon/run/poll.h"
#include "daemon/run/queue.h"
#include "daemon/run/refuse.h"
#include "daemon/run/reserve.h"
#include "daemon/run/room.h"
#include "daemon/run/wait.h"
#include "daemon/run/young.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct conn *conn_new(struct unit *u, int fd, const struct ends *e)
{
	size_t envp = u->service->env_count + ENV_CONN_MAX + 1;
	struct conn *c = mem_new(sizeof *c + envp * sizeof c->envp[0]);

	c->unit = u;
	c->config = config_ref(u->config);
	c->service = u->service;
	c->ends = *e;
	c->id = ++u->daemon->next_conn;
	c->arrived_us = clock_us();
	c->kept = -1;
	c->plan.connection = fd;
	c->plan.admit = -1;
	return c;
}

static void conn_free(struct conn *c)
{
	free(c->handed);
	config_unref(c->config);
	free(c);
}

void conn_refuse(struct conn *c)
{
	if (c->source)
		sources_touch(c->unit->daemon->sources, c->source);
	refuse(c->unit, c->plan.connection);
	conn_free(c);
}

/* Only where it is asked for: superd's copy delays the FIN until the handler has exited (H42).
 * Of a peer of datagrams there is no FIN, but something to see: whether anything moves. */
bool conn_keeps_copy(const struct service *s, const struct config *config)
{
	return s->linger || config->log_bytes || (s->datagrams && !s->wait);
}

/* launch_prepare has seen to it that there is a descriptor; if only a low one, so be it. */
static void keep_copy(struct conn *c)
{
	int fd = c->plan.connection;

	if (!conn_keeps_copy(c->service, c->config))
		return;
	c->kept = fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);
	if (c->kept < 0 && reserve_release(c->unit->daemon))
		c->kept = fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);
	if (c->kept < 0)
		c->kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void count_source(struct conn *c, uint32_t change)
{
	if (!c->source)
		return;
	c->source->live += change;
	sources_touch(c->unit->daemon->sources, c->source);
}

void conn_set_source(struct conn *c, struct source *s)
{
	count_source(c, -1U);
	c->source = s;
	count_source(c, 1);
}

void conn_enter(struct conn *c)
{
	struct unit *u = c->unit;

	c->start_us = clock_us();
	u->accepted++;
	u->live++;
	u->daemon->live++;
	count_source(c, 1);
	keep_copy(c);
}

/* The place is given back; it may be somebody else's in a moment. */
static void leave(struct conn *c)
{
	struct unit *u = c->unit;

	u->live--;
	u->daemon->live--;
	count_source(c, -1U);
}

void conn_withdraw(struct conn *c)
{
	c->unit->accepted--;
	leave(c);
	fd_close(&c->kept);
}

static void log_conn(struct log_line *l, const struct conn *c)
{
	char text[ADDR_TEXT_MAX];

	log_str(l, "service", c->service->name);
	log_num(l, "conn", (int64_t)c->id);
	if (c->ends.remote.len)
		log_str(l, "peer", addr_format(&c->ends.remote, text));
}

void conn_started(struct conn *c, pid_t pid)
{
	struct daemon *d = c->unit->daemon;
	char text[ADDR_TEXT_MAX];
	struct log_line l;

	c->pid = pid;
	metrics_started(&c->unit->metrics, clock_us() - c->arrived_us);
	HASH_ADD_INT(d->conns, pid, c);
	if (!log_on(LOG_INFO))
		return;
	log_begin(&l, LOG_INFO, "accept");
	log_conn(&l, c);
	if (c->ends.local.len)
		log_str(&l, "local", addr_format(&c->ends.local, text));
	log_num(&l, "pid", pid);
	log_end(&l);
}

struct conn *conn_find(const struct daemon *d, pid_t pid)
{
	struct conn *c;

	HASH_FIND_INT(d->conns, &pid, c);
	return c;
}

/* ---- the end */

static void log_tcpinfo(struct log_line *l, const struct tcpinfo *t)
{
	log_str(l, "closed_by", t->peer_closed ? "peer" : "handler");
	log_num(l, "bytes_in", (int64_t)t->bytes_in);
	log_num(l, "bytes_out", (int64_t)t->bytes_out);
	log_ms(l, "rtt_ms", t->rtt_us);
	log_num(l, "retransmits", t->retransmits);
}

static void tell_close(const struct conn *c)
{
	bool fine = WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0;
	struct log_line l;

	/* We told it to stop: that it did is no news. */
	log_begin(&l, fine || c->kill ? LOG_INFO : LOG_NOTICE, "close");
	if (!l.wanted)
		return;
	log_conn(&l, c);
	if (c->pid)
		log_num(&l, "pid", c->pid);
	if (WIFSIGNALED(c->status))
		log_str(&l, "signal", sigabbrev_np(WTERMSIG(c->status)));
	else
		log_num(&l, "exit", WEXITSTATUS(c->status));
	log_ms(&l, "duration_ms", (int64_t)(clock_us() - c->start_us));
	if (c->start_us - c->arrived_us > 1000)
		log_ms(&l, "queue_ms", (int64_t)(c->start_us - c->arrived_us));
	if (c->has_usage) {
		log_ms(&l, "cpu_ms", c->cpu_us);
		log_num(&l, "memory_kb", c->memory_kb);
	}
	if (c->has_tcpinfo)
		log_tcpinfo(&l, &c->tcpinfo);
	if (c->refused)
		log_str(&l, "refused", reason_name(c->refused));
	log_end(&l);
}

static void finish(struct conn *c)
{
	tell_close(c);
	poll_forget(&c->kill);
	c->unit->closed++;
	conn_free(c);
}

/* The client has closed, or has had its time to.  Who closed first was seen at the handler's
 * exit; the bytes are complete only now. */
static void on_lingered(void *context, int fd)
{
	struct conn *c = context;
	bool peer_closed = c->tcpinfo.peer_closed;

	if (tcpinfo_of(fd, &c->tcpinfo))
		c->tcpinfo.peer_closed = peer_closed;
	c->unit->lingering--;
	finish(c);
}

static int64_t timeval_us(struct timeval t)
{
	return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

static void end_handler(struct conn *c, int wait_status, const struct rusage *used)
{
	struct daemon *d = c->unit->daemon;

	c->status = wait_status;
	if (used) {
		c->has_usage = true;
		c->cpu_us = timeval_us(used->ru_utime) + timeval_us(used->ru_stime);
		c->memory_kb = used->ru_maxrss;
	}
	if (c->pid)
		metrics_ended(&c->unit->metrics, clock_us() - c->start_us, wait_status, used);
	deadline_cancel(c);
	declare_end(c);
	young_end(c);
	if (c->capture)
		capture_end(c->capture);
	c->capture = NULL;
	if (c->pid) {
		HASH_DEL(d->conns, c);
		leftover_watch(d, c->pid, c->kill_at_ms);
	}
	leave(c);
}

static enum wait_end wait_end_of(const struct conn *c)
{
	if (c->kill)
		return WAIT_TOLD;
	return !c->pid || clock_us() - c->start_us < WAIT_AT_ONCE_US ? WAIT_AT_ONCE : WAIT_DONE;
}

void conn_close(struct conn *c, int wait_status, const struct rusage *used)
{
	struct unit *u = c->unit;
	bool started = c->pid;
	enum wait_end how = wait_end_of(c);
	struct waiter *waiter = c->waiter;
	int kept = c->kept;

	end_handler(c, wait_status, used);
	if (c->peer)
		peer_forget(c);
	c->kept = -1;
	if (kept >= 0)
		c->has_tcpinfo = tcpinfo_of(kept, &c->tcpinfo);
	if (kept >= 0 && c->service->linger) {
		u->lingering++;
		linger(u->daemon, kept, on_lingered, c);
	} else {
		fd_close(&kept);
		finish(c);
	}
	/* Whoever could not be started is told of in the middle of a start. */
	if (started)
		queue_serve(u);
	if (waiter)
		wait_ended(waiter, how);
	room_freed(u);
}

/* ---- after an upgrade */

struct conn *conn_restore(
	struct unit *u, struct config *config, const struct service *service, pid_t pid)
{
	struct conn *c = mem_new(sizeof *c + sizeof c->envp[0]);

	c->unit = u;
	c->config = config_ref(config);
	c->service = service;
	c->kept = -1;
	c->pid = pid;
	c->plan.service = service;
	c->plan.envp = c->envp;
	if (!pid)
		return c;
	HASH_ADD_INT(u->daemon->conns, pid, c);
	u->live++;
	u->daemon->live++;
	return c;
}

void conn_restore_lingering(struct conn *c, int fd, uint64_t end_ms)
{
	c->unit->lingering++;
	linger_restore(c->unit->daemon, fd, end_ms, on_lingered, c);
}

void conn_restore_source(struct conn *c)
{
	struct arrival a;

	arrival_init(&a, c->unit, &c->ends);
	c->source = arrival_source(&a);
	count_source(c, 1);
}
