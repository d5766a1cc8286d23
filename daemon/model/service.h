/* A service, as configured: filled by config/ and const ever after (invariant 2).
 * What changes while superd runs lives in run/. */
#ifndef MODEL_SERVICE_H
#define MODEL_SERVICE_H

#include "daemon/model/acl.h"
#include "daemon/model/addr.h"
#include "daemon/model/bucket.h"

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

/* Who may connect.  Lists that are the same are one. */
struct access {
	const struct acl *acl; /* of allow and deny together; NULL: everybody may */
	bool allow_only;       /* there is an allow list: who is on none may not */
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
		const char *device; /* the only interface that it is found on; NULL: all */
		uint64_t send_buffer, receive_buffer; /* bytes; 0: the kernel's */
		uint64_t defer_accept_ms; /* a client is one once it has sent something; 0: at once
					   */
		uint64_t user_timeout_ms; /* how long sent data may stay unacknowledged; 0: kernel's
					   */
		uint64_t bandwidth;       /* bytes a second, of each connection; 0: no limit */
		mode_t mode;              /* of a unix socket's path */
		bool owner_set;
		uid_t uid; /* of a unix socket's path; -1 leaves it */
		gid_t gid;
	} socket;

	bool datagrams;        /* its addresses are, all of them */
	bool wait;             /* the program is handed the listening sockets and accepts itself */
	uint32_t instances;    /* of such a program, that share the sockets */
	uint64_t idle_exit_ms; /* it is ended when no client came for so long; 0: never */

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

	struct access access;
	uint32_t max_connections; /* live handlers; 0 is no limit */
	bool reject_when_full; /* else clients wait: `queue` of them here, the rest in the kernel */
	uint32_t queue;
	const char *reject_message;             /* NULL: none */
	uint32_t max_per_source;                /* live handlers; 0 is no limit */
	uint8_t source_bits_v4, source_bits_v6; /* how much of an address is one source */
	struct rate rate, rate_per_source;
	struct {
		uint32_t after; /* refusals; 0: no bans */
		uint64_t within_ms, for_ms;
	} ban;
	uint64_t trap_ms; /* not 0: whoever connects is banned for so long, and nothing is run */

	uint64_t timeout_ms;      /* longest life of a handler; 0: none */
	uint64_t idle_timeout_ms; /* no byte either way; 0: none */
	uint64_t kill_grace_ms;   /* TERM to KILL */
	bool linger;              /* superd closes last, and drains */

	/* Connections come through a proxy that declares the client; `argv` begins with the program
	 * that reads the declaration. */
	bool proxied;
	const struct acl *proxies; /* from whom a declaration is believed */
};

#endif
