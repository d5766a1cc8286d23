/* superd: options, order of start, exit codes; no logic. */
#include "daemon/base/fd.h"
#include "daemon/base/log.h"
#include "daemon/base/mem.h"
#include "daemon/config/load.h"
#include "daemon/config/schema.h"
#include "daemon/config/show.h"
#include "daemon/os/detach.h"
#include "daemon/os/handed.h"
#include "daemon/run/daemon.h"
#include "daemon/run/doctor.h"
#include "daemon/run/handover.h"

#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_OK = 0, EXIT_CONFIG = 1, EXIT_USAGE = 100 };
enum { OPTION_READY_FD = 256, OPTION_SCHEMA, OPTION_CONTROL, OPTION_INHERIT, OPTION_DOCTOR };

static const char usage[] =
	"superd: usage: superd -c FILE [-t] [-v] [-d] [-p FILE] [-o KEY=VALUE ...]\n"
	"                      [--control PATH] [--ready-fd N]\n"
	"               superd -l ADDR [-l ADDR ...] [-o KEY=VALUE ...] [-v] -- PROG [ARG ...]\n";

static const char help[] =
	"  -c FILE        serve what FILE says; - is the standard input\n"
	"  -t             check only: print what would run, or every complaint\n"
	"  --doctor       check more: try users, addresses and limits, and tell the remedies\n"
	"  -l ADDR        without a file: serve PROG on ADDR, such as 7000, 127.0.0.1:7000,\n"
	"                 [::1]:7000, localhost:7000, 7000-7099, udp:69, unix:/path, unix:@name,\n"
	"                 fd:NAME\n"
	"  -o KEY=VALUE   set a key of services.json(5) in every service\n"
	"  -d             go to the background once really listening\n"
	"  -p FILE        write the process id to FILE, and lock it\n"
	"  -v             log every connection; -vv: each system call of its life\n"
	"  --ready-fd N   write the bound addresses to descriptor N once really listening\n"
	"  --control PATH the socket for superctl(8), over what the file says\n"
	"  --schema       print the JSON Schema of a configuration file\n"
	"  -V, --version  print the version and how it was built\n"
	"  -h, --help     print this\n"
	"Try: superd -l 7000 -- cat, and in another terminal: nc localhost 7000\n";

static const struct option long_options[] = {
	{ "ready-fd", required_argument, NULL, OPTION_READY_FD },
	{ "control", required_argument, NULL, OPTION_CONTROL },
	{ "doctor", no_argument, NULL, OPTION_DOCTOR },
	{ "inherit", required_argument, NULL, OPTION_INHERIT }, /* of run/upgrade.c */
	{ "schema", no_argument, NULL, OPTION_SCHEMA },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

struct arguments {
	const char *file;
	char **listen, **options; /* owned, NULL-terminated */
	size_t listen_count, options_count;
	char **program; /* borrowed from argv; NULL: none */
	bool test, doctor;
	struct daemon_options run;
};

static int misused(const char *what)
{
	if (what)
		fprintf(stderr, "superd: %s\n", what);
	fputs(usage, stderr);
	return EXIT_USAGE;
}

static int print_version(void)
{
	printf("superd %s (%s build, handlers in %s)\n", SUPERD_VERSION, SUPERD_FLAVOR,
		SUPERD_HANDLER_DIR);
	return EXIT_OK;
}

static bool parse_fd(const char *text, int *fd)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < 0 || n > INT_MAX)
		return false;
	*fd = (int)n;
	return true;
}

/* Returns an exit code when all is said, or -1: go on. */
static int parse(int argc, char **argv, struct arguments *a)
{
	int c;

	a->listen = mem_array((size_t)argc + 1, sizeof *a->listen);
	a->options = mem_array((size_t)argc + 1, sizeof *a->options);
	while ((c = getopt_long(argc, argv, "+c:l:o:p:dtvVh", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			if (a->file)
				return misused("-c is there twice; a file can include others");
			a->file = optarg;
			break;
		case 'l':
			a->listen[a->listen_count++] = optarg;
			break;
		case 'o':
			a->options[a->options_count++] = optarg;
			break;
		case 'd':
			a->run.background = true;
			break;
		case 'p':
			a->run.pid_path = optarg;
			break;
		case 't':
			a->test = true;
			break;
		case 'v':
			a->run.verbose++;
			break;
		case OPTION_READY_FD:
			if (!parse_fd(optarg, &a->run.ready_fd))
				return misused("--ready-fd wants the number of a descriptor");
			break;
		case OPTION_DOCTOR:
			a->doctor = true;
			break;
		case OPTION_INHERIT:
			if (!parse_fd(optarg, &a->run.inherit))
				return misused("--inherit is superd's own");
			break;
		case OPTION_CONTROL:
			a->run.control = optarg;
			break;
		case OPTION_SCHEMA:
			schema_print(stdout);
			return EXIT_OK;
		case 'V':
			return print_version();
		case 'h':
			fputs(usage, stdout);
			fputs(help, stdout);
			return EXIT_OK;
		default:
			return misused(NULL);
		}
	}
	if (optind < argc)
		a->program = argv + optind;
	if (!a->file && !a->listen_count)
		return misused(NULL);
	if (a->file && (a->listen_count || a->program))
		return misused("either -c FILE, or -l ADDR -- PROG");
	return -1;
}

/* Before anything is opened; a configuration is read with them. */
static void take_sockets(const struct arguments *a)
{
	if (a->run.inherit >= 0)
		handover_take_sockets(a->run.inherit);
	else
		handed_take(a->test || a->doctor);
}

static struct config *load(const struct arguments *a, bool quiet)
{
	struct complaints complaints = { 0 };
	struct config *config;

	if (a->file)
		config = load_file(a->file, a->options, &complaints);
	else
		config = load_oneliner(a->listen, a->options, a->program, &complaints);
	if (!quiet)
		complaints_print(&complaints, stderr);
	complaints_free(&complaints);
	return config;
}

/* When the new program of an upgrade was asked, it could be read.  Whoever writes to it since must
 * not end what is being served: the clients wait until he is done, or until superd is to stop. */
static struct config *load_to_go_on(const struct arguments *a)
{
	const struct timespec pause = { 0, 200000000 };
	struct config *config = load(a, false);
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	while (!config && sigtimedwait(&stop, NULL, &pause) < 0)
		config = load(a, true);
	return config;
}

/* On the heap; NULL for NULL. */
static char *absolute(const char *folder, const char *path)
{
	if (!path)
		return NULL;
	return path[0] == '/' ? mem_dup(path) : mem_print("%s/%s", folder, path);
}

/* What an upgrade starts the next program with: all but what was for this start only. */
static char **arguments_again(const struct arguments *a)
{
	size_t n = 0, words = 0;
	char **list;

	while (a->program && a->program[words])
		words++;
	list = mem_array(2 * (a->listen_count + a->options_count) + a->run.verbose + words + 9,
		sizeof *list);
	if (a->file) {
		list[n++] = (char *)"-c";
		list[n++] = (char *)a->file;
	}
	if (a->run.control) {
		list[n++] = (char *)"--control";
		list[n++] = (char *)a->run.control;
	}
	if (a->run.pid_path) {
		list[n++] = (char *)"-p";
		list[n++] = (char *)a->run.pid_path;
	}
	if (a->run.background)
		list[n++] = (char *)"-d";
	for (size_t i = 0; i < a->listen_count; i++) {
		list[n++] = (char *)"-l";
		list[n++] = a->listen[i];
	}
	for (size_t i = 0; i < a->options_count; i++) {
		list[n++] = (char *)"-o";
		list[n++] = a->options[i];
	}
	for (unsigned i = 0; i < a->run.verbose; i++)
		list[n++] = (char *)"-v";
	if (a->program)
		list[n++] = (char *)"--";
	memcpy(list + n, a->program ? a->program : list, words * sizeof *list);
	return list;
}

/* Where this program's file is, so that another one that is put there can take over. */
static char *own_path(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	path[n > 0 ? n : 0] = '\0';
	return mem_dup(path);
}

/* True if what an older superd would hand over can be taken. */
static bool check_state(int fd)
{
	const char *why;
	json_t *state = fd < 0 ? NULL : handover_read(fd, &why);

	if (fd >= 0 && !state)
		fprintf(stderr, "superd: %s\n", why);
	json_decref(state);
	return fd < 0 || state;
}

/* True if the log that the new program will write can be opened. */
static bool check_log(const struct config *config, const struct arguments *a)
{
	const char *path = config->log.path;

	if (a->run.inherit < 0 || log_open(&config->log) == 0)
		return true;
	fprintf(stderr, "superd: cannot open the log%s%s: %m\n", path ? " " : "", path ? path : "");
	return false;
}

static int test(const struct config *config, const struct arguments *a)
{
	if (!check_state(a->run.inherit) || !check_log(config, a))
		return EXIT_CONFIG;
	show_config(config, stdout);
	return EXIT_OK;
}

static int examine(const struct config *config, const struct arguments *a)
{
	return doctor(config, a->run.control, stdout) ? EXIT_CONFIG : EXIT_OK;
}

static int run(struct config *config, struct arguments *a)
{
	char *folder = getcwd(NULL, 0), *program = own_path(), *control, *pid_path, **again = NULL;
	bool from_file = a->file && strcmp(a->file, "-") != 0;
	int code;

	if (from_file)
		a->run.file = a->file;
	a->run.folder = folder ? folder : "/";
	a->run.control = control = absolute(a->run.folder, a->run.control);
	a->run.pid_path = pid_path = absolute(a->run.folder, a->run.pid_path);
	a->run.settings = a->options;
	a->run.program = program;
	if (from_file || !a->file)
		a->run.arguments = again = arguments_again(a);
	/* What an upgrade made of it is in the background already. */
	if (a->run.background && a->run.inherit < 0)
		a->run.detached = detach();
	code = daemon_run(config, &a->run);
	free(folder);
	free(program);
	free(control);
	free(pid_path);
	free(again);
	return code;
}

int main(int argc, char **argv)
{
	struct arguments a = { .run = { .ready_fd = -1, .inherit = -1, .detached = -1 } };
	struct config *config = NULL;
	int code;

	fd_sanitize();
	code = parse(argc, argv, &a);
	if (code < 0) {
		take_sockets(&a);
		config = a.run.inherit >= 0 && !a.test ? load_to_go_on(&a) : load(&a, false);
		if (!config)
			code = EXIT_CONFIG;
	}
	if (config && (a.test || a.doctor)) {
		code = a.doctor ? examine(config, &a) : test(config, &a);
		config_unref(config);
	} else if (config) {
		code = run(config, &a);
	}
	free(a.listen);
	free(a.options);
	if (fflush(stdout) != 0)
		return 111;
	return code;
}
