/* Tells what it was started with, as one JSON object on its connection.  Static, needs no /proc. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void text(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\' || c < 0x20 || c >= 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void descriptors(void)
{
	const char *comma = "";

	printf("\"fds\":{");
	for (int fd = 0; fd < 4096; fd++) {
		int flags = fcntl(fd, F_GETFL);
		struct stat st;

		if (flags < 0)
			continue;
		fstat(fd, &st);
		printf("%s\"%d\":{\"nonblock\":%d,\"append\":%d,\"access\":%d,\"cloexec\":%d,"
		       "\"kind\":%u,\"ino\":%lu,"
		       "\"dev\":%lu}",
			comma, fd, !!(flags & O_NONBLOCK), !!(flags & O_APPEND), flags & O_ACCMODE,
			!!(fcntl(fd, F_GETFD) & FD_CLOEXEC), (unsigned)(st.st_mode >> 12),
			(unsigned long)st.st_ino, (unsigned long)st.st_dev);
		comma = ",";
	}
	printf("},");
}

static void option(const char *name, int level, int number)
{
	int value = -1;
	socklen_t len = sizeof value;

	getsockopt(0, level, number, &value, &len);
	printf("\"%s\":%d,", name, value);
}

static void signals(void)
{
	const char *comma = "";
	sigset_t mask;

	printf("\"ignored\":[");
	for (int n = 1; n < NSIG; n++) {
		struct sigaction a;

		if (sigaction(n, NULL, &a) == 0 && a.sa_handler != SIG_DFL) {
			printf("%s%d", comma, n);
			comma = ",";
		}
	}
	printf("],\"blocked\":[");
	sigprocmask(SIG_SETMASK, NULL, &mask);
	comma = "";
	for (int n = 1; n < NSIG; n++)
		if (sigismember(&mask, n) == 1) {
			printf("%s%d", comma, n);
			comma = ",";
		}
	printf("],");
}

static void identity(void)
{
	gid_t groups[256];
	uid_t r, e, s;
	int n = getgroups(256, groups);

	getresuid(&r, &e, &s);
	printf("\"uids\":[%u,%u,%u],", r, e, s);
	getresgid(&r, &e, &s);
	printf("\"gids\":[%u,%u,%u],\"groups\":[", r, e, s);
	for (int i = 0; i < n; i++)
		printf("%s%u", i ? "," : "", groups[i]);
	printf("],\"setuid0\":%d,\"setgid0\":%d,", setuid(0) == 0, setgid(0) == 0);
}

static void limits(void)
{
	static const struct {
		const char *name;
		int number;
	} all[] = { { "as", RLIMIT_AS }, { "core", RLIMIT_CORE }, { "cpu", RLIMIT_CPU },
		{ "data", RLIMIT_DATA }, { "fsize", RLIMIT_FSIZE }, { "memlock", RLIMIT_MEMLOCK },
		{ "nofile", RLIMIT_NOFILE }, { "nproc", RLIMIT_NPROC }, { "stack", RLIMIT_STACK } };

	printf("\"limits\":{");
	for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
		struct rlimit r;

		getrlimit(all[i].number, &r);
		printf("%s\"%s\":[%lld,%lld]", i ? "," : "", all[i].name,
			r.rlim_cur == RLIM_INFINITY ? -1LL : (long long)r.rlim_cur,
			r.rlim_max == RLIM_INFINITY ? -1LL : (long long)r.rlim_max);
	}
	printf("},");
}

static void list(const char *name, char **items)
{
	printf("\"%s\":[", name);
	for (int i = 0; items[i]; i++) {
		if (i)
			putchar(',');
		text(items[i]);
	}
	printf("]");
}

static void same_open_file(void)
{
	/* A status flag set through 0 is seen through 1 if both are one open file. */
	fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
	printf("\"same\":%d,", !!(fcntl(1, F_GETFL) & O_NONBLOCK));
	fcntl(0, F_SETFL, fcntl(0, F_GETFL) & ~O_NONBLOCK);
}

int main(int argc, char **argv)
{
	extern char **environ;
	static char out[1 << 18];
	char cwd[4096];
	mode_t mask;
	int tty;

	(void)argc;
	setvbuf(stdout, out, _IOFBF, sizeof out);
	mask = umask(0);
	umask(mask);
	printf("{");
	descriptors();
	option("keepalive", SOL_SOCKET, SO_KEEPALIVE);
	option("nodelay", IPPROTO_TCP, TCP_NODELAY);
	option("family", SOL_SOCKET, SO_DOMAIN);
	signals();
	tty = open("/dev/tty", O_RDWR);
	printf("\"pid\":%d,\"ppid\":%d,\"pgid\":%d,\"sid\":%d,\"tty\":%d,", getpid(), getppid(),
		getpgid(0), getsid(0), tty >= 0);
	printf("\"umask\":%u,\"nice\":%d,\"no_new_privs\":%d,", mask, getpriority(PRIO_PROCESS, 0),
		prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	same_open_file();
	limits();
	printf("\"cwd\":");
	text(getcwd(cwd, sizeof cwd) ? cwd : "?");
	printf(",\"root\":");
	text(access("/etc/passwd", F_OK) == 0 ? "host" : "empty");
	putchar(',');
	identity();
	list("argv", argv);
	putchar(',');
	list("env", environ);
	printf("}\n");
	return fflush(stdout) ? 1 : 0;
}
