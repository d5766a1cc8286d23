#include "daemon/config/schema.h"

#include "daemon/config/draft.h"

#include <string.h>

#ifndef SUPERD_HANDLER_DIR
#define SUPERD_HANDLER_DIR "/usr/local/libexec/superd"
#endif

#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)

static const char *const log_targets[] = { "stderr", "syslog", "journal", NULL };
static const char *const log_formats[] = { "text", "json", NULL };
static const char *const log_levels[] = { "error", "notice", "info", NULL };
static const char *const stderr_words[] = { "log", "socket", "null", NULL };

#define AT(field) .offset = offsetof(struct top, field)

static const struct key log_keys[] = {
	{ .name = "target",
		.type = KEY_SINK,
		AT(log_target),
		.words = log_targets,
		.preset = "\"stderr\"",
		.help = "Where log lines go." },
	{ .name = "format",
		.type = KEY_WORD,
		AT(log.format),
		.words = log_formats,
		.preset = "\"text\"",
		.help = "key=value words, or one JSON object a line." },
	{ .name = "level",
		.type = KEY_WORD,
		AT(log.level),
		.words = log_levels,
		.preset = "\"notice\"",
		.help = "The least important lines that are written; info is every connection." },
	{ 0 },
};

const struct key schema_top[] = {
	{ .name = "$schema", .type = KEY_SECTION, .help = "For editors; ignored." },
	{ .name = "include",
		.type = KEY_SECTION,
		.help = "Files to read as well: patterns, relative to this file." },
	{ .name = "log",
		.type = KEY_OBJECT,
		.scope = MAIN_FILE,
		.keys = log_keys,
		.help = "Where and how superd logs." },
	{ .name = "handler_path",
		.type = KEY_PATHS,
		.scope = MAIN_FILE,
		AT(handler_path),
		.preset = "[\"" SUPERD_HANDLER_DIR "\"]",
		.help = "Folders where programs without a slash are looked for, before PATH." },
	{ .name = "max_connections",
		.type = KEY_COUNT,
		.scope = MAIN_FILE,
		AT(max_connections),
		.max = 1000000,
		.preset = "0",
		.help = "Live handlers of all services together; 0 is no limit." },
	{ .name = "stop_timeout",
		.type = KEY_DURATION,
		.scope = MAIN_FILE,
		AT(stop_timeout_ms),
		.max = 24 * HOUR,
		.preset = "\"5s\"",
		.help = "How long a stop waits for live handlers before it ends them." },
	{ .name = "defaults",
		.type = KEY_SECTION,
		.help = "Keys for every service that does not set them itself." },
	{ .name = "services", .type = KEY_SECTION, .help = "The services, by name." },
	{ 0 },
};

#undef AT
#define AT(field) .offset = offsetof(struct draft, field)

const struct key schema_service[] = {
	{ .name = "listen",
		.type = KEY_LISTEN,
		.scope = ITS_SERVICE,
		AT(s),
		.help = "One address or several: \"7000\", \"127.0.0.1:7000\", \"[::1]:7000\", "
			"\"localhost:7000\", \"7000-7099\", \"unix:/run/x.sock\", "
			"\"unix:@name\"." },
	{ .name = "exec",
		.type = KEY_STRINGS,
		.scope = ITS_SERVICE,
		AT(exec),
		.help = "The program and its arguments." },
	{ .name = "shell",
		.type = KEY_TEXT,
		.scope = ITS_SERVICE,
		AT(shell),
		.help = "Instead of exec: a line for /bin/sh -c." },
	{ .name = "argv0",
		.type = KEY_TEXT,
		.scope = ITS_SERVICE,
		AT(argv0),
		.help = "What the program sees as its name, where that is not its path." },
	{ .name = "description",
		.type = KEY_TEXT,
		AT(s.description),
		.preset = "\"\"",
		.help = "For people." },
	{ .name = "enabled",
		.type = KEY_BOOL,
		AT(s.enabled),
		.preset = "true",
		.help = "False keeps the service configured, but closed." },
	{ .name = "user",
		.type = KEY_ACCOUNT,
		AT(user),
		.help = "Whom the handlers run as; required when superd runs as root." },
	{ .name = "group",
		.type = KEY_ACCOUNT,
		AT(group),
		.help = "Their group, where it is not the user's own." },
	{ .name = "groups",
		.type = KEY_ACCOUNTS,
		AT(groups),
		.help = "Their supplementary groups, where they are not the user's own." },
	{ .name = "chroot",
		.type = KEY_PATH,
		AT(s.chroot),
		.help = "The folder that is / to the handlers." },
	{ .name = "directory",
		.type = KEY_TEXT,
		AT(directory),
		.preset = "\"/\"",
		.help = "Where the handlers start." },
	{ .name = "umask",
		.type = KEY_OCTAL,
		AT(s.umask),
		.max = 0777,
		.preset = "\"022\"",
		.help = "The handlers' umask." },
	{ .name = "nice",
		.type = KEY_INT,
		AT(s.nice),
		.min = -20,
		.max = 19,
		.preset = "0",
		.help = "The handlers' niceness; 0 leaves it as superd's own." },
	{ .name = "no_new_privs",
		.type = KEY_BOOL,
		AT(s.no_new_privs),
		.preset = "true",
		.help = "Set-user-ID programs give the handlers nothing." },
	{ .name = "env", .type = KEY_ENV, AT(env), .preset = "{}", .help = "Variables to set." },
	{ .name = "pass_env",
		.type = KEY_NAMES,
		AT(pass_env),
		.preset = "[]",
		.help = "Variables to pass on from superd's own environment." },
	{ .name = "stderr",
		.type = KEY_SINK,
		AT(stderr_sink),
		.words = stderr_words,
		.preset = "\"log\"",
		.help = "Where the handlers' standard error goes." },
	{ .name = "rlimits",
		.type = KEY_RLIMITS,
		AT(s),
		.keys = schema_rlimits,
		.preset = "{}",
		.help = "Resource limits of each handler." },
	{ .name = "max_connections",
		.type = KEY_COUNT,
		AT(s.max_connections),
		.max = 1000000,
		.preset = "100",
		.help = "Live handlers of the service; 0 is no limit." },
	{ .name = "kill_grace",
		.type = KEY_DURATION,
		AT(s.kill_grace_ms),
		.max = HOUR,
		.preset = "\"5s\"",
		.help = "From TERM to KILL, when a handler is ended." },
	{ .name = "backlog",
		.type = KEY_INT,
		AT(s.socket.backlog),
		.min = 1,
		.max = 65535,
		.preset = "4096",
		.help = "Connections that wait in the kernel, which caps it at "
			"net.core.somaxconn." },
	{ .name = "keepalive",
		.type = KEY_BOOL,
		AT(s.socket.keepalive),
		.preset = "true",
		.help = "SO_KEEPALIVE: notice peers that are gone." },
	{ .name = "nodelay",
		.type = KEY_BOOL,
		AT(s.socket.nodelay),
		.preset = "false",
		.help = "TCP_NODELAY: send small writes at once." },
	{ .name = "freebind",
		.type = KEY_BOOL,
		AT(s.socket.freebind),
		.preset = "false",
		.help = "IP_FREEBIND: listen on an address that is not there yet." },
	{ .name = "socket_mode",
		.type = KEY_OCTAL,
		AT(s.socket.mode),
		.max = 0777,
		.preset = "\"0666\"",
		.help = "Permissions of a unix socket." },
	{ .name = "socket_user",
		.type = KEY_ACCOUNT,
		AT(socket_user),
		.help = "Owner of a unix socket." },
	{ .name = "socket_group",
		.type = KEY_ACCOUNT,
		AT(socket_group),
		.help = "Group of a unix socket." },
	{ 0 },
};

#undef AT
#define LIMIT(text, of, resource, what)                                                            \
	{                                                                                          \
		.name = text, .type = of, .offset = resource, .help = what                         \
	}

const struct key schema_rlimits[] = {
	LIMIT("as", KEY_LIMIT_SIZE, RLIMIT_AS, "Address space."),
	LIMIT("core", KEY_LIMIT_SIZE, RLIMIT_CORE, "Core file."),
	LIMIT("cpu", KEY_LIMIT_TIME, RLIMIT_CPU, "Processor time."),
	LIMIT("data", KEY_LIMIT_SIZE, RLIMIT_DATA, "Data segment."),
	LIMIT("fsize", KEY_LIMIT_SIZE, RLIMIT_FSIZE, "Size of files it writes."),
	LIMIT("memlock", KEY_LIMIT_SIZE, RLIMIT_MEMLOCK, "Locked memory."),
	LIMIT("nofile", KEY_LIMIT_COUNT, RLIMIT_NOFILE, "Open descriptors."),
	LIMIT("nproc", KEY_LIMIT_COUNT, RLIMIT_NPROC, "Processes of the user."),
	LIMIT("stack", KEY_LIMIT_SIZE, RLIMIT_STACK, "Stack."),
	{ 0 },
};

const struct key *schema_find(const struct key *keys, const char *name)
{
	for (; keys->name; keys++) {
		if (strcmp(keys->name, name) == 0)
			return keys;
	}
	return NULL;
}

bool schema_is_comment(const char *name)
{
	return name[0] == '/' && name[1] == '/';
}
