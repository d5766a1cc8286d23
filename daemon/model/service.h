/* A service, as configured: filled by config/ and const ever after (invariant 2).
 * What changes while superd runs lives in run/. */
#ifndef MODEL_SERVICE_H
#define MODEL_SERVICE_H

#include "daemon/model/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

enum stderr_to {
	STDERR_LOG,
	STDERR_SOCKET,
	STDERR_NULL,
	STDERR_FILE,
};

/* Who the handler is.  Names are resolved at load; nothing looks them up later (H16, H24). */
struct identity {
	bool set; /* false: the handler runs as superd does */
	uid_t uid;
	gid_t gid;
	const char *user;    /* as configured, for USER, LOGNAME and listings */
	const char *home;    /* for HOME */
	const char *shell;   /* for SHELL */
	const gid_t *groups; /* supplementary */
	size_t groups_count;
};

struct limit {
	int resource; /* RLIMIT_… */
	struct rlimit value;
};

struct service {
	const char *name;
	const char *description;
	const char *place; /* file:line:column of its name, for complaints that come later */
	bool enabled;

	const struct addr *listen;
	size_t listen_count;
	struct {
		int backlog;
		bool keepalive, nodelay, freebind;
		mode_t mode; /* of a unix socket's path */
		bool owner_set;
		uid_t uid; /* of a unix socket's path; -1 leaves it */
		gid_t gid;
	} socket;

	const char *program;     /* absolute path, resolved and checked at load */
	const char *const *argv; /* NULL-terminated; argv[0] as the program sees it */
	const char *const *env;  /* NULL-terminated NAME=VALUE: PATH, `env`, `pass_env`, identity */
	size_t env_count;
	struct identity identity;
	const char *chroot;    /* NULL: none */
	const char *directory; /* inside chroot */
	mode_t umask;
	int nice; /* 0: as superd */
	bool no_new_privs;
	const struct limit *limits;
	size_t limits_count;
	enum stderr_to stderr_to;
	const char *stderr_path; /* of STDERR_FILE */

	uint32_t max_connections; /* live handlers; 0 is no limit */
	uint64_t kill_grace_ms;   /* TERM to KILL */
};

#endif
