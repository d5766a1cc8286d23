/* Everything that is decided before a child starts (invariant 3).
 * The child reads it and decides nothing. */
#ifndef MODEL_PLAN_H
#define MODEL_PLAN_H

#include "daemon/model/service.h"

/* Facts about superd itself that tell which steps a child needs. */
struct host {
	bool root;
	struct identity identity; /* of superd: uid, gid, groups */
	mode_t umask;
	bool share_files;     /* a child may share the descriptor table at first */
	bool close_range;     /* the kernel has close_range(2); else close-on-exec must do */
	bool nofile_raised;   /* superd raised its own limit of descriptors… */
	struct rlimit nofile; /* …and this one was the original (H21) */
};

/* The steps of a child in their order, and the order is the security property: descriptors and
 * limits while we may still do anything, then chroot, groups, gid, uid, and nothing after
 * no-new-privs that needs a privilege. */
enum step {
	STEP_FILES,   /* own descriptor table, where superd's is shared: superd waits for it */
	STEP_SESSION, /* own session and process group, no terminal (H20) */
	STEP_STDIN,   /* the connection is 0 … */
	STEP_STDOUT,  /* … and 1 */
	STEP_STDERR,  /* 2 is the log, or what `stderr` says */
	STEP_ADMIT,   /* how a program that reads a proxy's header asks superd */
	STEP_REPORT,  /* the report pipe makes room for … */
	STEP_LISTEN,  /* … the listening sockets of mode "wait" */
	STEP_PRUNE,   /* no other descriptor (H13) */
	STEP_NOFILE,  /* the limit that superd raised for itself, back (H21) */
	STEP_LIMITS,
	STEP_NICE,
	STEP_UMASK,
	STEP_CHROOT,
	STEP_ROOT, /* chdir("/") inside it */
	STEP_GROUPS,
	STEP_GID,
	STEP_UID,
	STEP_DIRECTORY, /* as the user, so that only what he may enter works */
	STEP_NO_NEW_PRIVS,
	STEP_SIGNALS, /* the empty mask; every disposition is the default already (H14) */
	STEP_EXEC,
	STEP_COUNT,
};

struct plan {
	const struct service *service; /* borrowed */
	const struct host *host;       /* borrowed */
	const char *const *envp;       /* borrowed, NULL-terminated */
	uint32_t steps;                /* bit n: enum step n is walked */
	int connection;                /* becomes 0 and 1 */
	int error;                     /* becomes 2 */
	int admit;                     /* becomes PLAN_ADMIT_FD; -1: there is none */
	int *listeners; /* borrowed, the child's to change; they become PLAN_LISTEN_FD and up */
	int listeners_count;
	char *listen_pid; /* borrowed, room for PLAN_PID_MAX: the child writes its number there */
	bool share_files; /* the descriptor table, until STEP_FILES; else it is copied */
	bool tour;        /* every step is reported, not only the one that failed */
};

/* Where a chain-loading program finds the socket to ask superd for admission. */
#define PLAN_ADMIT_FD 4

/* Where a program in mode "wait" finds its sockets, by the protocol of sd_listen_fds(3). */
#define PLAN_LISTEN_FD 3
#define PLAN_LISTENERS_MAX 32
#define PLAN_PID_MAX 12

/* The steps that a child of this service needs. */
uint32_t plan_steps(const struct service *s, const struct host *h, bool share_files);

/* The name of the system call behind a step, for logs. */
const char *plan_step_name(enum step step);

#endif
