/* What changes while superd runs.  The services themselves are const (invariant 2); here is who
 * listens, who is live, and what waits for what. */
#ifndef RUN_STATE_H
#define RUN_STATE_H

#include "daemon/model/config.h"
#include "daemon/model/env.h"
#include "daemon/model/pace.h"
#include "daemon/model/plan.h"
#include "daemon/os/sock.h"
#include "daemon/os/start.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>
#include <uthash.h>

/* Listeners that are not polled because there is no room; their clients wait in the kernel's
 * backlog.  Each of them has a client waiting: it got on the list by becoming readable. */
TAILQ_HEAD(waitlist, listener);

struct listener {
	struct unit *unit;
	const struct addr *wanted; /* as configured */
	struct addr addr;          /* as bound */
	struct sock_path path;
	int fd; /* -1: not open, and then `retry` is set */
	struct event event;
	TAILQ_ENTRY(listener) waiting;
	struct waitlist *waits_in; /* NULL: it is polled */
	struct event *retry;       /* owned */
	unsigned retry_ms;
};

/* A service at run time. */
struct unit {
	struct daemon *daemon;
	const struct service *service;
	struct listener *listeners; /* owned */
	size_t listeners_count;
	uint32_t steps; /* of each of its children */
	uint32_t live;
	uint64_t accepted, closed; /* accepted == closed + live, always */
	struct waitlist full;
	struct pace pace;
	bool told_full; /* its suspension is in the log, so its resumption will be */
};

/* One connection and its handler. */
struct conn {
	UT_hash_handle hh; /* by pid */
	pid_t pid;
	uint64_t id; /* what the log calls `conn` */
	struct unit *unit;
	struct addr peer;
	uint64_t start_us;
	struct capture
		*capture;   /* owned until the handler exits; NULL: its stderr goes elsewhere */
	struct event *kill; /* owned; set once the handler has been told to stop */
	struct plan plan;
	char env_text[ENV_TEXT_MAX];
	const char *envp[];
};

enum phase {
	PHASE_SERVE,
	PHASE_DRAIN, /* no new connections; handlers may finish */
	PHASE_END,   /* handlers have been told to stop */
};

#define RESERVE 8 /* descriptors; one connection takes three to start and keeps one */

TAILQ_HEAD(captures, capture);
struct leftover;

struct daemon {
	struct event_base *base;
	struct config *config; /* owned */
	struct host host;
	struct starter *starter;
	struct unit *units;
	size_t units_count;

	struct conn *conns; /* uthash by pid */
	uint32_t live;
	size_t listeners_open;
	uint64_t next_conn;
	struct capture *spare_capture; /* opened before it is needed, see capture.h */
	struct captures captures;      /* all of them */
	struct leftover *leftovers;

	struct waitlist full;     /* wait for any handler to end: max_connections of all */
	struct waitlist shortage; /* wait for descriptors, memory, processes */
	struct event *shortage_timer;
	struct pace shortage_pace;

	int reserve[RESERVE]; /* see reserve.h */
	size_t reserve_count;

	enum phase phase;
	bool done;
	int exit_code;
	struct event *phase_timer;
	struct event *log_timer;
	int signal_fd;
	struct event *signal_event, *report_event, *wake_event;
	struct report *failures; /* reports of children that are not reaped yet */
	size_t failures_count, failures_cap;
};

#endif
