/* What the keys of a file are read into, before it is checked as a whole (build.h).
 * The schema's offsets point in here.  Lives as long as one service is being read. */
#ifndef CONFIG_DRAFT_H
#define CONFIG_DRAFT_H

#include "daemon/base/log.h"
#include "daemon/config/file.h"
#include "daemon/config/schema.h"
#include "daemon/model/service.h"

struct strings {
	const char *const *items; /* the list is scratch, the texts are the config's */
	size_t count;
};

/* A word, or a file when there is a path. */
struct sink {
	unsigned word;
	const char *path;
};

/* Where a value was given; `file` NULL: nowhere, it is the preset. */
struct place {
	const struct file *file;
	uint32_t offset;
	const char *owner; /* "service 'x'", "defaults"; NULL: the command line */
};

enum peer_form {
	PEER_IP,
	PEER_ID,  /* of a unix socket's peer */
	PEER_ANY, /* of both */
	PEER_FILE,
};

/* One entry of a list of peers. */
struct peer {
	enum peer_form form;
	const char *text;    /* as written; of a file, its path as seen from where superd stands */
	const char *account; /* of an ID by its name, which is looked up later; else NULL */
	struct acl_prefix prefixes[4]; /* what it stands for, unless it is a file */
	size_t count;
	struct place place;
};

struct peers {
	const struct peer *items; /* scratch */
	size_t count;
};

enum { STDIO_PROGRAM, STDIO_LINE };

struct draft {
	struct service s; /* of the keys that need no more than a field */
	struct strings exec;
	const char *argv0, *shell;
	const char *user, *group;
	struct strings groups;
	const char *directory; /* as written: chroot decides what it means */
	struct strings env;    /* NAME=VALUE */
	struct strings pass_env;
	struct sink stderr_sink;
	const char *socket_user, *socket_group;
	struct peers allow, deny;
	unsigned mode, on_limit, close, stdio; /* words */
	uint32_t source_ipv4, source_ipv6;
	struct peers proxies;
	uint64_t proxy_timeout_ms;

	struct place name;                     /* of the service's name */
	struct place places[SERVICE_KEYS_MAX]; /* by row of schema_service */
};

/* Of the top level. */
struct top {
	struct log_options log;
	struct sink log_target;
	bool log_bytes;
	uint32_t max_connections;
	uint64_t stop_timeout_ms;
	struct strings handler_path;
	const char *control, *observe, *observe_group;
	mode_t observe_mode;
};

#endif
