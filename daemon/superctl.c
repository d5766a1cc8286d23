/* superctl: asks a running superd, and tells it what to do. */
#include "daemon/base/mem.h"
#include "daemon/ctl/link.h"
#include "daemon/ctl/top.h"
#include "daemon/ctl/views.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#ifndef SUPERD_CONTROL
#define SUPERD_CONTROL "/run/superd/control"
#endif

enum { EXIT_OK = 0, EXIT_NO = 1, EXIT_NOT_ADMITTED = 2, EXIT_USAGE = 100, EXIT_BROKEN = 111 };

struct command;

struct call {
	const struct command *command;
	const char *socket;
	bool json;
	int argc;
	char **argv; /* what follows the command */
};

/* A row is a command.  Its words become members of the request, in their order. */
struct command {
	const char *name, *usage, *help;
	const char *words[3]; /* "": counted, and of `request` or `run` */
	int least;            /* of them */
	void (*view)(const json_t *answer, struct table *t);
	json_t *(*request)(const struct call *c); /* instead of `words`; NULL: they are wrong */
	int (*run)(const struct call *c);         /* instead of asking once */
};

/* ---- asking once */

static json_t *request_of(const struct call *c)
{
	json_t *request = json_pack("{s:s}", "verb", c->command->name);

	for (int i = 0; i < c->argc; i++)
		json_object_set_new(request, c->command->words[i], json_string(c->argv[i]));
	return request;
}

static void print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
}

static void print_refusal(const json_t *answer)
{
	const json_t *list = json_object_get(answer, "complaints"), *line;
	size_t i;

	json_array_foreach (list, i, line)
		fprintf(stderr, "%s\n", json_string_value(line));
	fprintf(stderr, "superctl: %s\n", json_string_value(json_object_get(answer, "error")));
}

static void print_answer(const struct call *c, const json_t *answer)
{
	struct table t;

	if (c->json) {
		print_json(answer);
	} else if (!json_is_true(json_object_get(answer, "ok"))) {
		print_refusal(answer);
	} else if (c->command->view) {
		c->command->view(answer, &t);
		table_print(&t, stdout);
		table_fini(&t);
	}
}

static json_t *ask(const struct call *c, json_t *request)
{
	struct link l;
	json_t *answer;

	link_open(&l, c->socket);
	answer = link_ask(&l, request);
	link_close(&l);
	return answer;
}

static int misused(const struct call *c)
{
	fprintf(stderr, "superctl: usage: superctl %s %s\n", c->command->name, c->command->usage);
	return EXIT_USAGE;
}

static int ask_once(const struct call *c)
{
	json_t *request = c->command->request ? c->command->request(c) : request_of(c), *answer;
	int code;

	if (!request)
		return misused(c);
	answer = ask(c, request);
	code = json_is_true(json_object_get(answer, "ok")) ? EXIT_OK : EXIT_NO;
	print_answer(c, answer);
	json_decref(answer);
	return code;
}

/* ---- those whose words are not just words */

static json_t *request_set(const struct call *c)
{
	const char *equals = strchr(c->argv[1], '=');

	if (!equals)
		return NULL;
	return json_pack("{s:s,s:s,s:s%,s:s}", "verb", "set", "service", c->argv[0], "key",
		c->argv[1], (size_t)(equals - c->argv[1]), "value", equals + 1);
}

/* A number is a connection; what begins like an address is a source; else it is a service. */
static json_t *request_kill(const struct call *c)
{
	const char *what = c->argv[0];

	if (!what[strspn(what, "0123456789")])
		return json_pack(
			"{s:s,s:I}", "verb", "kill", "conn", (json_int_t)strtoll(what, NULL, 10));
	return json_pack("{s:s,s:s}", "verb", "kill",
		strpbrk(what, ":/") || !what[strspn(what, "0123456789.")] ? "source" : "service",
		what);
}

static int run_explain(const struct call *c)
{
	json_t *answer = ask(c, request_of(c)), *s;
	int code = json_is_true(json_object_get(answer, "ok")) ? EXIT_OK : EXIT_NO;
	size_t i;

	print_answer(c, answer);
	json_array_foreach (json_object_get(answer, "services"), i, s)
		if (!json_is_true(json_object_get(s, "admitted")))
			code = EXIT_NOT_ADMITTED;
	json_decref(answer);
	return code;
}

/* ---- log */

static bool is_of(const json_t *event, const char *service)
{
	const char *name = json_string_value(json_object_get(event, "service"));

	return !service || (name && strcmp(name, service) == 0);
}

static void print_events(const struct call *c, struct link *l, const char *service)
{
	json_t *event;

	while ((event = link_next(l))) {
		const char *verb = json_string_value(json_object_get(event, "event"));
		bool end = verb && strcmp(verb, "end") == 0;

		if (!end && is_of(event, service)) {
			if (c->json) {
				json_dumpf(event, stdout,
					JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
				putchar('\n');
				fflush(stdout);
			} else {
				view_event(event, stdout);
			}
		}
		json_decref(event);
		if (end || ferror(stdout))
			return;
	}
}

static int run_log(const struct call *c)
{
	const char *level = "info";
	json_int_t last = 256;
	bool follow = false;
	json_t *answer;
	struct link l;
	int option;

	optind = 1;
	while ((option = getopt(c->argc + 1, c->argv - 1, "+fl:n:")) != -1) {
		if (option == 'f')
			follow = true;
		else if (option == 'l')
			level = optarg;
		else if (option == 'n')
			last = strtoll(optarg, NULL, 10);
		else
			return misused(c);
	}
	link_open(&l, c->socket);
	answer = link_ask(&l, json_pack("{s:s,s:s,s:I,s:b}", "verb", "log", "level", level, "last",
				      last, "follow", follow));
	if (!json_is_true(json_object_get(answer, "ok"))) {
		print_answer(c, answer);
		return EXIT_NO;
	}
	json_decref(answer);
	print_events(c, &l, optind - 1 < c->argc ? c->argv[optind - 1] : NULL);
	link_close(&l);
	return EXIT_OK;
}

static int run_top(const struct call *c)
{
	double delay = c->argc ? strtod(c->argv[0], NULL) : 1;

	if (delay < 0.1 || delay > 3600)
		return misused(c);
	return top(c->socket, delay);
}

/* ---- the commands */

static const struct command commands[] = {
	{ "list", "", "services: state, live, waiting, accepted, refused, addresses",
		.view = view_list },
	{ "show", "SERVICE", "all that is known of one", .words = { "service" }, .least = 1,
		.view = view_show },
	{ "ps", "[SERVICE]", "live and waiting connections, with CPU and memory",
		.words = { "service" }, .view = view_ps },
	{ "top", "[SECONDS]", "the same on the full screen, again and again", .words = { "" },
		.run = run_top },
	{ "log", "[-f] [-n COUNT] [-l LEVEL] [SERVICE]", "the last events, and those to come",
		.words = { "", "", "" }, .run = run_log },
	{ "explain", "ADDRESS [SERVICE]", "would it be admitted, and if not, why",
		.words = { "address", "service" }, .least = 1, .view = view_explain,
		.run = run_explain },
	{ "bans", "", "who is kept out", .view = view_bans },
	{ "ban", "SOURCE [DURATION]", "keep an address or prefix out (1h)",
		.words = { "source", "for" }, .least = 1 },
	{ "unban", "SOURCE", "let it in again", .words = { "source" }, .least = 1 },
	{ "kill", "CONN|SERVICE|SOURCE", "end handlers: TERM, then KILL", .words = { "" },
		.least = 1, .request = request_kill },
	{ "pause", "SERVICE", "its clients wait in the kernel", .words = { "service" },
		.least = 1 },
	{ "resume", "SERVICE", "they are served again", .words = { "service" }, .least = 1 },
	{ "disable", "SERVICE", "close its addresses; connections go on", .words = { "service" },
		.least = 1 },
	{ "enable", "SERVICE", "open them again", .words = { "service" }, .least = 1 },
	{ "drain", "SERVICE", "the same as disable, and wait until none is live",
		.words = { "service" }, .least = 1 },
	{ "set", "SERVICE KEY=VALUE", "change a limit until the next reload", .words = { "", "" },
		.least = 2, .request = request_set },
	{ "reload", "", "read the configuration again", .least = 0 },
	{ "upgrade", "", "become the program that superd's file holds now", .least = 0 },
	{ "stop", "", "stop superd", .least = 0 },
	{ "version", "", "of the superd that runs, and how it is", .view = view_version },
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static int most_words(const struct command *k)
{
	int n = 0;

	while (n < 3 && k->words[n])
		n++;
	return n;
}

static void print_help(FILE *out)
{
	fputs("usage: superctl [-s SOCKET] [--json] COMMAND [ARGUMENT ...]\n", out);
	for (size_t i = 0; i < COMMANDS; i++) {
		char left[64];

		snprintf(left, sizeof left, "%s %s", commands[i].name, commands[i].usage);
		fprintf(out, "  %-42s %s\n", left, commands[i].help);
	}
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int run(struct call *c)
{
	/* Options of a command are its own; their arguments are counted there. */
	bool counts = c->command->run != run_log;

	if (counts && (c->argc < c->command->least || c->argc > most_words(c->command)))
		return misused(c);
	return c->command->run ? c->command->run(c) : ask_once(c);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "socket", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	const char *given = getenv("SUPERD_CONTROL");
	struct call c = { .socket = given && *given ? given : SUPERD_CONTROL };
	int option;

	while ((option = getopt_long(argc, argv, "+hjs:V", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			c.json = true;
			break;
		case 's':
			c.socket = optarg;
			break;
		case 'h':
			print_help(stdout);
			return EXIT_OK;
		case 'V':
			printf("superctl %s\n", SUPERD_VERSION);
			return EXIT_OK;
		default:
			print_help(stderr);
			return EXIT_USAGE;
		}
	}
	c.command = optind < argc ? find(argv[optind]) : NULL;
	if (!c.command) {
		if (optind < argc)
			fprintf(stderr, "superctl: there is no command '%s'\n", argv[optind]);
		print_help(stderr);
		return EXIT_USAGE;
	}
	c.argc = argc - optind - 1;
	c.argv = argv + optind + 1;
	option = run(&c);
	return fflush(stdout) == 0 ? option : EXIT_BROKEN;
}
