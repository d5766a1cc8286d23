/*
 * fds: prints what a handler is given: descriptors, peer, identity, signals, limits.
 *
 * The lesson in one `nc`: a connection is a file descriptor, and it is there before we start.  It
 * reads nothing, so that it answers at once, and prints of the environment only what superd sets:
 * the rest may be secret.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "handlers/common/io.h"
#include "handlers/common/linger.h"

enum { LOOKED_FOR = 256, NAME_SIZE = 160 };

static struct {
	size_t len;
	char text[32768];
} page;

static __attribute__((format(printf, 1, 2))) void say(const char *format, ...)
{
	size_t room = sizeof(page.text) - page.len;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(page.text + page.len, room, format, args);
	va_end(args);
	if (n > 0) /* what does not fit is cut off: there is room for some 200 descriptors */
		page.len += (size_t)n < room ? (size_t)n : room - 1;
}

/* Names come from the peer and the file system: no control byte of theirs reaches a terminal. */
static void say_plain(const char *text)
{
	for (; *text; text++) {
		if (!isprint((unsigned char)*text))
			say("\\x%02x", (unsigned char)*text);
		else if (page.len + 1 < sizeof(page.text))
			page.text[page.len++] = *text;
	}
}

static void name_address(char out[NAME_SIZE], const struct sockaddr_storage *a, socklen_t len)
{
	char host[INET6_ADDRSTRLEN];

	if (a->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)a;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(out, NAME_SIZE, "%s:%u", host, ntohs(in->sin_port));
	} else if (a->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)a;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(out, NAME_SIZE, "[%s]:%u", host, ntohs(in6->sin6_port));
	} else if (a->ss_family == AF_UNIX) {
		const struct sockaddr_un *un = (const void *)a;
		int n = (int)len - (int)offsetof(struct sockaddr_un, sun_path);
		bool abstract = n > 0 && un->sun_path[0] == '\0';

		if (n <= 0)
			snprintf(out, NAME_SIZE, "(unnamed)");
		else
			snprintf(out, NAME_SIZE, "%s%.*s", abstract ? "@" : "", n - abstract,
				un->sun_path + abstract);
	} else {
		snprintf(out, NAME_SIZE, "(family %d)", a->ss_family);
	}
}

static const char *kind_of_socket(int fd, int family)
{
	bool ip = family == AF_INET || family == AF_INET6;
	socklen_t len = sizeof(int);
	int type = 0;

	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	if (type == SOCK_STREAM)
		return ip ? "TCP" : family == AF_UNIX ? "unix stream" : "stream";
	if (type == SOCK_DGRAM)
		return ip ? "UDP" : family == AF_UNIX ? "unix datagram" : "datagram";
	return type == SOCK_SEQPACKET ? "seqpacket" : "socket";
}

static void say_socket(int fd)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);
	char name[NAME_SIZE];

	if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return;
	name_address(name, &a, len);
	say("  %s, local ", kind_of_socket(fd, a.ss_family));
	say_plain(name);
	len = sizeof(a);
	if (getpeername(fd, (struct sockaddr *)&a, &len) == 0) {
		name_address(name, &a, len);
		say(", peer ");
		say_plain(name);
	} else {
		say(", no peer (%s)", errno == ENOTCONN ? "not connected" : strerror(errno));
	}
}

static const char *kind_of_file(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFSOCK:
		return "socket";
	case S_IFIFO:
		return "pipe";
	case S_IFCHR:
		return "device";
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "folder";
	}
	return "other";
}

/* /proc has the path of a file; of the rest it knows no more than fstat does, and is slow. */
static void say_what(int fd, const struct stat *st)
{
	char link[64], target[NAME_SIZE];
	bool anonymous = S_ISSOCK(st->st_mode) || S_ISFIFO(st->st_mode);
	ssize_t n = -1;

	if (anonymous) {
		say("%s:[%llu]", kind_of_file(st->st_mode), (unsigned long long)st->st_ino);
		return;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	say_plain(n < 0 ? kind_of_file(st->st_mode) : target);
}

static void say_descriptor(int fd)
{
	static const char *const access_mode[] = { "read", "write", "both", "?" };
	int flags = fcntl(fd, F_GETFL);
	struct stat st = { 0 };

	fstat(fd, &st);
	say("  %3d  %-5s  %-5s  %-6s  ", fd, access_mode[flags & O_ACCMODE],
		flags & O_NONBLOCK ? "no" : "yes",
		fcntl(fd, F_GETFD) & FD_CLOEXEC ? "closed" : "stays");
	say_what(fd, &st);
	if (S_ISSOCK(st.st_mode))
		say_socket(fd);
	say("\n");
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static void say_sameness(void)
{
	struct stat in, out, err;

	if (fstat(0, &in) < 0 || fstat(1, &out) < 0)
		return;
	if (!is_same(&in, &out))
		say("  0 and 1 are two different things: this was started by hand.\n");
	else if (S_ISSOCK(in.st_mode))
		say("  0 and 1 are the same socket, and that socket is your connection:\n"
		    "  what you send is read from 0, what is written to 1 you receive.\n");
	else
		say("  0 and 1 are the same file, but no socket: this was started by hand.\n");
	if (S_ISSOCK(in.st_mode) && fstat(2, &err) == 0 && !is_same(&in, &err))
		say("  2 leads elsewhere, to the log: what is written there you never see.\n");
}

/* One call for all of them: poll(2) says of a number that is not open that it is not valid.  Where
 * the limit of descriptors is lower than the question is long, it refuses. */
static void find_open(struct pollfd numbers[LOOKED_FOR])
{
	for (int fd = 0; fd < LOOKED_FOR; fd++)
		numbers[fd].fd = fd;
	if (poll(numbers, LOOKED_FOR, 0) >= 0)
		return;
	for (int fd = 0; fd < LOOKED_FOR; fd++)
		numbers[fd].revents = fcntl(fd, F_GETFD) < 0 ? POLLNVAL : 0;
}

static void say_descriptors(void)
{
	static struct pollfd numbers[LOOKED_FOR];
	bool any = false;

	say("Descriptors: what is open in a process that has opened nothing itself.\n"
	    "   fd  access blocks  on exec what\n");
	find_open(numbers);
	for (int fd = 0; fd < LOOKED_FOR; fd++)
		if (!(numbers[fd].revents & POLLNVAL)) {
			say_descriptor(fd);
			any = true;
		}
	if (!any)
		say("  none at all\n");
	say_sameness();
}

static void say_environment(void)
{
	static const struct {
		const char *name, *meaning;
	} row[] = {
		{ "SUPERD_SERVICE", "the service, by its name in the configuration" },
		{ "SUPERD_CONN", "this connection, as the log calls it" },
		{ "PROTO", "TCP, UDP, IPC (a unix socket) or VSOCK" },
		{ "TCPREMOTEIP", "you" },
		{ "TCPREMOTEPORT", "" },
		{ "TCPLOCALIP", "the address that you connected to" },
		{ "TCPLOCALPORT", "" },
		{ "IPCREMOTEEUID", "you, on a unix socket: user" },
		{ "IPCREMOTEEGID", "group" },
		{ "IPCREMOTEPID", "process" },
		{ "REMOTE_ADDR", "you again, in the names of CGI and systemd" },
		{ "REMOTE_PORT", "" },
		{ "SERVER_ADDR", "" },
		{ "SERVER_PORT", "" },
		{ "PATH", "where it looks for programs" },
	};
	bool shown = false;

	say("\nEnvironment: who you are, without asking the socket.\n");
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const char *value = getenv(row[i].name);
		size_t start = page.len;

		if (!value)
			continue;
		shown |= strcmp(row[i].name, "PATH") != 0;
		say("  %s=", row[i].name);
		say_plain(value);
		if (*row[i].meaning)
			say("%*s  %s", (int)(start + 32 > page.len ? start + 32 - page.len : 0), "",
				row[i].meaning);
		say("\n");
	}
	if (!shown)
		say("  nothing of superd's: this was started by hand.\n");
}

static void say_identity(void)
{
	gid_t group[64];
	int groups = getgroups(64, group);
	mode_t mask = umask(0);
	char cwd[512];

	umask(mask);
	say("\nIdentity: one process, for you alone.\n");
	say("  pid %d, started by ppid %d\n", (int)getpid(), (int)getppid());
	say("  process group %d, session %d%s\n", (int)getpgrp(), (int)getsid(0),
		getpgrp() == getpid() && getsid(0) == getpid() ? ": both its own, no terminal's"
							       : "");
	say("  uid %u (effective %u), gid %u (effective %u), groups", (unsigned)getuid(),
		(unsigned)geteuid(), (unsigned)getgid(), (unsigned)getegid());
	for (int i = 0; i < groups; i++)
		say(" %u", (unsigned)group[i]);
	say("%s\n  umask %03o, folder ", groups > 0 ? "" : " none", (unsigned)mask);
	say_plain(getcwd(cwd, sizeof(cwd)) ? cwd : strerror(errno));
	say("\n");
}

static void say_signals(const char *title, const sigset_t *set)
{
	bool any = false;

	say("  %s:", title);
	for (int sig = 1; sig < _NSIG; sig++) {
		if (sigismember(set, sig) == 1) {
			say("%s %d (%s)", any ? "," : "", sig, strsignal(sig));
			any = true;
		}
	}
	say(any ? "\n" : " none\n");
}

static void say_all_signals(void)
{
	sigset_t blocked, ignored;
	struct sigaction now;

	sigprocmask(SIG_SETMASK, NULL, &blocked);
	sigemptyset(&ignored);
	for (int sig = 1; sig < _NSIG; sig++)
		if (sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
			sigaddset(&ignored, sig);
	say("\nSignals: all at their default, but for these.\n");
	say_signals("blocked", &blocked);
	say_signals("ignored", &ignored);
}

static void say_limit(const char *name, int resource)
{
	struct rlimit l;

	if (getrlimit(resource, &l) < 0)
		return;
	say("  %s: ", name);
	say(l.rlim_cur == RLIM_INFINITY ? "no limit" : "%llu", (unsigned long long)l.rlim_cur);
	say(l.rlim_max == RLIM_INFINITY ? " (at most: no limit)\n" : " (at most %llu)\n",
		(unsigned long long)l.rlim_max);
}

int main(void)
{
	say_descriptors();
	say_environment();
	say_identity();
	say_all_signals();
	say("\nLimits: how much it may use.\n");
	say_limit("open descriptors", RLIMIT_NOFILE);
	say_limit("processes of this user", RLIMIT_NPROC);
	say_limit("core file, bytes", RLIMIT_CORE);

	/* Not earlier: it would show among the ignored signals. */
	signal(SIGPIPE, SIG_IGN);
	if (io_write_all(1, page.text, page.len) < 0)
		return io_farewell("fds");
	linger_close(0, 1);
	return 0;
}
