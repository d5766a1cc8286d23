/*
 * tcpmux: many services on one port, asked for by name (RFC 1078).
 *
 * The client sends a name and a line feed; "+" and some text answers yes, and then the connection
 * is the service's, or "-" and why not.  The names are those of a table, and what the client sent
 * is compared with them and used for nothing else.  Not a byte behind the line is read: it is the
 * program's.  That runs with the rights that we have.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/common/duration.h"
#include "handlers/common/io.h"
#include "handlers/common/linger.h"

enum { EXIT_USAGE = 100, EXIT_SYSTEM = 111, EXIT_EXEC = 126, EXIT_MISSING = 127 };
enum {
	TABLE_MAX = 256 << 10,
	SERVICES_MAX = 256,
	NAME_MAX_LEN = 64,
	LINE = 256, /* that a client may send, with its end */
	PATIENCE_MS = 10000,
	HOUR_MS = 3600 * 1000,
	STALL_MS = 2000,
};

struct service {
	const char *name;
	bool greets;     /* "+name": we say yes in the program's place */
	char **argv;     /* into the list of all */
	unsigned number; /* of its line */
};

struct table {
	const char *file;
	size_t count, args_count;
	struct service services[SERVICES_MAX];
	char *args[SERVICES_MAX * 8];
	char text[TABLE_MAX + 1];
};

/* ---------------------------------------------------------------- the table */

static bool complain(const struct table *t, unsigned line, const char *what)
{
	fprintf(stderr, "tcpmux: %s:%u: %s\n", t->file, line, what);
	return false;
}

static bool is_name(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++) {
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	}
	return len > 0 && len <= NAME_MAX_LEN && strcasecmp(name, "help") != 0;
}

/* The next word of a line: blanks end it, unless they stand in quotes.  NULL: there is none;
 * *open: a quote was not closed. */
static char *next_word(char **rest, bool *open)
{
	char *from = *rest + strspn(*rest, " \t"), *to = from, *word = from;
	char quote = '\0';

	if (!*from)
		return NULL;
	for (; *from && (quote || (*from != ' ' && *from != '\t')); from++) {
		if (quote ? *from == quote : *from == '"' || *from == '\'')
			quote = quote ? '\0' : *from;
		else
			*to++ = *from;
	}
	*open = quote != '\0';
	*rest = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

static bool read_line(struct table *t, char *line, unsigned number)
{
	struct service *s = &t->services[t->count];
	bool open = false;
	char *word;

	line += strspn(line, " \t");
	if (*line == '\0' || *line == '#')
		return true;
	if (t->count == SERVICES_MAX)
		return complain(t, number, "too many services");
	word = next_word(&line, &open);
	s->greets = word[0] == '+';
	s->name = word + s->greets;
	s->number = number;
	s->argv = t->args + t->args_count;
	if (open || !is_name(s->name))
		return complain(t, number, "this is no name of a service");
	for (size_t i = 0; i < t->count; i++) {
		if (strcasecmp(t->services[i].name, s->name) == 0)
			return complain(t, number, "the name is there twice");
	}
	while ((word = next_word(&line, &open))) {
		if (t->args_count + 2 > sizeof(t->args) / sizeof(t->args[0]))
			return complain(t, number, "too many arguments");
		t->args[t->args_count++] = word;
	}
	if (open)
		return complain(t, number, "a quote is not closed");
	if (s->argv == t->args + t->args_count || !s->argv[0][0])
		return complain(t, number, "the program is missing");
	t->args[t->args_count++] = NULL;
	t->count++;
	return true;
}

/* Who can change the table can run anything with our rights. */
static bool is_everybodys(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 && st.st_mode & S_IWOTH;
}

static bool read_table(struct table *t, const char *file)
{
	ssize_t len = io_read_file(file, t->text, TABLE_MAX);
	unsigned number = 0;
	char *line = t->text, *end;

	t->file = file;
	if (len < 0 || is_everybodys(file)) {
		fprintf(stderr, "tcpmux: %s: %s\n", file,
			len >= 0          ? "everybody may change it"
			: errno == EINVAL ? "not a regular file"
					  : strerror(errno));
		return false;
	}
	t->text[len] = '\0';
	if (strlen(t->text) != (size_t)len)
		return complain(t, 1, "there is a NUL byte in it");
	for (; *line; line = end + 1) {
		end = line + strcspn(line, "\n");
		number++;
		if (!*end) {
			/* The last line, without its end. */
			return read_line(t, line, number);
		}
		*end = '\0';
		if (!read_line(t, line, number))
			return false;
	}
	return true;
}

/* ---------------------------------------------------------------- the client */

static bool is_stream(int fd)
{
	socklen_t len = sizeof(int);
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

/* Reads what has come, to the end of the line and no byte further: a socket shows what there is
 * before we take it, of a pipe we take a byte at a time. */
static ssize_t read_some(char *buf, size_t room, uint64_t deadline_ms)
{
	ssize_t n;
	char *end;

	if (!is_stream(0))
		return io_read_until(0, buf, 1, deadline_ms);
	if (io_wait_until(0, deadline_ms) < 0)
		return -1;
	n = recv(0, buf, room, MSG_PEEK | MSG_DONTWAIT);
	if (n <= 0)
		return n;
	end = memchr(buf, '\n', (size_t)n);
	return recv(0, buf, end ? (size_t)(end + 1 - buf) : (size_t)n, MSG_DONTWAIT);
}

/* The line without its end, terminated.  NULL: there is none, and *why is for the client, unless
 * it has gone. */
static char *read_request(char buf[LINE], uint64_t deadline_ms, const char **why)
{
	size_t len = 0;

	*why = NULL;
	while (len == 0 || buf[len - 1] != '\n') {
		ssize_t n;

		if (len == LINE) {
			*why = "Line too long";
			return NULL;
		}
		n = read_some(buf + len, LINE - len, deadline_ms);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0 && errno == ETIMEDOUT)
			*why = "Timeout";
		if (n <= 0)
			return NULL;
		len += (size_t)n;
	}
	len--;
	if (len > 0 && buf[len - 1] == '\r')
		len--;
	buf[len] = '\0';
	if (strlen(buf) != len) /* a NUL: nobody is called so */
		buf[0] = '\0';
	return buf;
}

static int say(const char *sign, const char *text)
{
	char line[LINE];
	int len = snprintf(line, sizeof(line), "%s%s\r\n", sign, text);

	return io_write_all(1, line, (size_t)len);
}

static int refuse(const char *why)
{
	io_limit_stall(1, STALL_MS);
	if (say("-", why) < 0)
		return io_farewell("tcpmux");
	linger_close(0, 1);
	return 0;
}

static int help(const struct table *t)
{
	io_limit_stall(1, STALL_MS);
	for (size_t i = 0; i < t->count; i++) {
		if (say("", t->services[i].name) < 0)
			return io_farewell("tcpmux");
	}
	linger_close(0, 1);
	return 0;
}

/* Where it is, in PATH if its name has no slash.  False: errno says why not. */
static bool find_program(char path[PATH_MAX], const char *name)
{
	const char *folder = getenv("PATH");

	if (strchr(name, '/')) {
		snprintf(path, PATH_MAX, "%s", name);
		return access(path, X_OK) == 0;
	}
	for (; folder; folder = strchr(folder, ':')) {
		folder += *folder == ':';
		if (snprintf(path, PATH_MAX, "%.*s/%s", (int)strcspn(folder, ":"), folder, name) <
				PATH_MAX &&
			access(path, X_OK) == 0)
			return true;
	}
	errno = ENOENT;
	return false;
}

/* "+" promises a program, so that is looked for first. */
static int become(const struct table *t, const struct service *s)
{
	char path[PATH_MAX];
	int status;

	if (!find_program(path, s->argv[0])) {
		fprintf(stderr, "tcpmux: %s:%u: %s: %s\n", t->file, s->number, s->argv[0],
			strerror(errno));
		return refuse("Service not available");
	}
	if (s->greets && say("+", "Go") < 0)
		return io_farewell("tcpmux");
	signal(SIGPIPE, SIG_DFL);
	execv(path, s->argv);
	status = errno == ENOENT ? EXIT_MISSING : EXIT_EXEC;
	fprintf(stderr, "tcpmux: %s:%u: %s: %s\n", t->file, s->number, path, strerror(errno));
	return status;
}

int main(int argc, char *argv[])
{
	static struct table table;
	uint64_t patience = PATIENCE_MS;
	char buf[LINE], *name;
	bool usable = true;
	const char *why;
	int opt;

	while (usable && (opt = getopt(argc, argv, "T:")) != -1)
		usable = opt == 'T' && duration_parse(optarg, HOUR_MS, &patience) && patience > 0;
	if (!usable || optind + 1 != argc) {
		fprintf(stderr, "usage: tcpmux [-T TIME] TABLE\n");
		return EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	if (!read_table(&table, argv[optind])) {
		refuse("Service not available");
		return EXIT_SYSTEM;
	}
	name = read_request(buf, io_now_ms() + patience, &why);
	if (!name)
		return why ? refuse(why) : 0;
	if (strcasecmp(name, "help") == 0)
		return help(&table);
	for (size_t i = 0; i < table.count; i++) {
		if (strcasecmp(name, table.services[i].name) == 0)
			return become(&table, &table.services[i]);
	}
	return refuse("Service not available");
}
