/* What changes while superd runs.  The services themselves are const (invariant 2); here is who
 * listens, who is live, and what waits for what. */
#ifndef RUN_STATE_H
#define RUN_STATE_H

#include "daemon/model/config.h"
#include "daemon/model/env.h"
#include "daemon/model/pace.h"
#include "daemon/model/plan.h"
#include "daemon/model/sources.h"
#include "daemon/os/sock.h"
#include "daemon/os/start.h"
#include "daemon/os/tcpinfo.h"
#include "daemon/run/metrics.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>
#include <uthash.h>

/* Listeners that are not polled because there is no room; their clients wait in the kernel's
 * backlog.  Each of them has a client waiting: it got on the list by becoming readable. */
TAILQ_HEAD(waitlist, listener);

struct listener {
	TAILQ_ENTRY(listener) all; /* of its service */
	struct unit *unit;
	const struct addr *wanted; /* as configured, borrowed from the unit's configuration */
	struct addr addr;          /* as bound */
	struct sock_path path;
	int fd; /* -1: not open, and then `retry` is set */
	struct event event;
	TAILQ_ENTRY(listener) waiting;
	struct waitlist *waits_in; /* NULL: it is polled */
	struct event *retry;       /* owned */
	unsigned retry_ms;
	struct waiter *waiter; /* owned; of a socket of datagrams in mode "wait" */
	bool watched;          /* for idle_exit, by activity.h */
	bool lent; /* a program was handed it once, in mode "wait", and may have it still */
	uint64_t moved_ms;
};

/* Why a connection was not admitted.  Each is an `if` in admit.c, a word in the log, a counter. */
enum reason {
	ADMITTED,
	REASON_BAN,
	REASON_TRAP,
	REASON_DENY,
	REASON_PROXY,   /* it came around the proxy */
	REASON_ADDRESS, /* a datagram that cannot be answered, or not from where it was sent to */
	REASON_FULL,
	REASON_PER_SOURCE,
	REASON_RATE_PER_SOURCE,
	REASON_RATE,
	REASON_GONE, /* it gave up while it waited */
	REASON_STOP,
	REASON_COUNT,
};

struct lane;
TAILQ_HEAD(lanes, lane);
struct waiter;
struct handout;
struct peer;

TAILQ_HEAD(listeners, listener);

enum unit_state {
	UNIT_OPEN,
	UNIT_PAUSED,  /* clients wait in the kernel, because somebody asked for it */
	UNIT_CLOSED,  /* no listeners: not enabled, or because somebody asked for it */
	UNIT_REMOVED, /* no longer configured; it lives until its last connection has ended */
};

/* A service at run time.  A reload gives it another configuration; what it counts goes on. */
struct unit {
	TAILQ_ENTRY(unit) all, queueing;
	struct daemon *daemon;
	uint32_t number;       /* never used again for another */
	struct config *config; /* a reference: the one that `service` stands in */
	const struct service *service;
	bool listed; /* it is one of the daemon's */
	enum unit_state state;
	struct listeners listeners; /* owned */
	size_t listeners_count;
	/* The ledger.  Always: arrived == accepted + refused + waiting,
	 * and accepted == closed + live + lingering. */
	uint64_t arrived, accepted, closed;
	uint64_t refused[REASON_COUNT];
	uint64_t refused_late; /* of the accepted: those whose declared client was not admitted */
	uint32_t waiting, live, lingering;
	struct metrics metrics;
	struct bucket bucket;
	struct lanes fresh, rounds; /* of the fair queue */
	bool fresh_had_turn;
	struct waitlist full, stopped; /* `stopped`: its listeners while it is paused */
	struct pace pace, refused_pace;
	bool told_full;        /* its suspension is in the log, so its resumption will be */
	struct waiter *waiter; /* owned; of streams in mode "wait" */
	struct peer *peers;    /* uthash: the live ones, of datagrams in mode "nowait" */
};

/* One connection and its handler. */
struct conn {
	UT_hash_handle hh;       /* by pid, while its handler lives */
	TAILQ_ENTRY(conn) waits; /* in its lane */
	TAILQ_ENTRY(conn) in_young;
	bool young;
	pid_t pid;
	uint64_t id; /* what the log calls `conn` */
	struct unit *unit;
	struct config *config;         /* a reference: what was in force when it came (H49) */
	const struct service *service; /* in it */
	struct source *source;         /* where the service counts by source; NULL else */
	struct ends ends;
	uint64_t arrived_us, start_us;
	int kept; /* our copy of the connection; -1: none, as a rule (H42) */
	struct capture
		*capture;       /* owned until the handler exits; NULL: its stderr goes elsewhere */
	struct event *kill;     /* owned; set once the handler has been told to stop */
	uint64_t kill_at_ms;    /* then: when its grace is over */
	struct event *timeout;  /* owned */
	struct watch *watch;    /* owned; of idle_timeout */
	struct peer *peer;      /* owned; of a sender of datagrams that has a process */
	struct waiter *waiter;  /* borrowed; of a process in mode "wait" */
	struct handout *handed; /* owned; what it was handed */
	struct declaration *declaration; /* owned; of a proxied connection until it is declared */
	enum reason refused;             /* of one whose declared client was not admitted */

	/* After the handler's exit, for the close event. */
	int status;
	int64_t cpu_us, memory_kb;
	bool has_usage, has_tcpinfo;
	struct tcpinfo tcpinfo;

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

TAILQ_HEAD(units, unit);
TAILQ_HEAD(captures, capture);
TAILQ_HEAD(youngs, conn);

struct lingers {
	TAILQ_HEAD(, lingering) list; /* the oldest first */
	size_t count;
};

struct leftover;
struct bans;
struct control;
struct upgrade;
struct daemon_options;

struct daemon {
	struct event_base *base;
	const struct daemon_options *options; /* borrowed */
	struct config *config;                /* a reference: the one in force */
	struct host host;
	struct starter *starter;
	struct units units; /* in the order of the configuration, the removed ones last */
	size_t units_count;
	size_t units_removed; /* of them */
	uint32_t units_made;

	struct conn *conns; /* uthash by pid */
	uint32_t live, waiting;
	struct units queueing; /* for whom somebody waits; whose turn it is comes first */
	size_t queueing_count;
	bool kernels_turn; /* those who wait in the kernel had the last one */
	size_t listeners_open;
	uint64_t next_conn;
	struct capture *spare_capture; /* opened before it is needed, see capture.h */
	struct captures captures;      /* all but the orphans */
	struct captures orphans;       /* whose handler has exited; the oldest first */
	size_t orphans_count;
	struct youngs young; /* see young.h; the oldest first */
	struct event *young_timer, *sweep_timer;
	struct lingers refused_linger, served_linger;
	struct sources *sources;
	struct bans *bans;   /* NULL until there is one */
	int netlink;         /* for tcpinfo_find; -1 where no service has an idle_timeout */
	int activity;        /* see activity.h; -1 where nobody asks */
	struct mover *mover; /* NULL where no service has datagrams and mode "nowait" */
	struct leftover *leftovers;

	struct waitlist full;     /* wait for any handler to end: max_connections of all */
	struct waitlist shortage; /* wait for descriptors, memory, processes */
	struct event *shortage_timer, *queue_timer;
	struct pace shortage_pace;

	int reserve[RESERVE]; /* see reserve.h */
	size_t reserve_count;

	int pid_fd; /* locks the pid file; -1: there is none */
	int detached;
	uint64_t caps_before; /* what superd had at its start */
	struct event *watchdog_timer;
	struct control *control; /* owned */
	struct upgrade *upgrade; /* owned; NULL: none is under way */
	bool upgrade_due;        /* the new program says that it can */
	bool reload_refused;     /* the last one; the service manager's status says so */
	uint64_t started_ms;
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
