/* The physical limit: the shortest loops that accept a connection and start a process with it.
 * No configuration, no log, no limits, no books; what is left is the kernel's work.
 *
 *   bare HOW PORT HANDLER [ARG…]
 *
 *   none      the loop answers itself: no process at all
 *   fork      fork, exec
 *   vfork     vfork, exec
 *   spawn     posix_spawn
 *   clonevm   clone(CLONE_VM), the parent goes on at once; a stack for each child until the
 *             kernel clears its tid at the exec
 *   session   the same, and the child calls setsid first: a session of its own is part of what
 *             superd promises, and dear where the kernel groups tasks by session
 *             (CONFIG_SCHED_AUTOGROUP)
 *   clonevf   clone(CLONE_VM|CLONE_VFORK) */
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK 4096
#define SLOTS 1024

struct slot {
	_Alignas(64) char stack[STACK];
	volatile pid_t tid; /* not 0: in use; the kernel clears it */
	int fd;
};

static char **handler;
static char *environment[] = { "PATH=/usr/bin:/bin", NULL };
static struct slot *slots;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* No errno: it may be the parent's. */
static long call(long n, long a, long b, long c)
{
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return r;
}

static void become_handler(int fd)
{
	call(SYS_dup2, fd, 0, 0);
	call(SYS_dup2, fd, 1, 0);
	call(SYS_execve, (long)handler[0], (long)handler, (long)environment);
	call(SYS_exit_group, 127, 0, 0);
}

static int on_own_stack(void *slot)
{
	become_handler(((struct slot *)slot)->fd);
	return 0;
}

static int in_own_session(void *slot)
{
	call(SYS_setsid, 0, 0, 0);
	return on_own_stack(slot);
}

static void answer(int fd)
{
	char line[512];
	ssize_t n = read(fd, line, sizeof line);

	if (n > 0 && write(fd, line, (size_t)n) != n)
		return;
}

static void start_fork(int fd)
{
	if (fork() == 0)
		become_handler(fd);
}

static void start_vfork(int fd)
{
	if (vfork() == 0)
		become_handler(fd);
}

static void start_spawn(int fd)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, 0);
	posix_spawn_file_actions_adddup2(&actions, fd, 1);
	posix_spawn(&pid, handler[0], &actions, NULL, handler, environment);
	posix_spawn_file_actions_destroy(&actions);
}

static struct slot *free_slot(void)
{
	static unsigned next;

	for (;; sched_yield())
		for (int i = 0; i < SLOTS; i++) {
			struct slot *s = &slots[next++ % SLOTS];

			if (!s->tid)
				return s;
		}
}

static void start_in_slot(int fd, int (*child)(void *slot))
{
	struct slot *s = free_slot();

	s->fd = fd;
	s->tid = 1;
	if (clone(child, s->stack + STACK, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, s, NULL, NULL,
		    (void *)&s->tid) < 0)
		die("clone");
}

static void start_clonevm(int fd)
{
	start_in_slot(fd, on_own_stack);
}

static void start_session(int fd)
{
	start_in_slot(fd, in_own_session);
}

static void start_clonevf(int fd)
{
	slots->fd = fd;
	if (clone(on_own_stack, slots->stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, slots) < 0)
		die("clone");
}

static const struct {
	const char *name;
	void (*start)(int fd);
} ways[] = {
	{ "none", answer },
	{ "fork", start_fork },
	{ "vfork", start_vfork },
	{ "spawn", start_spawn },
	{ "clonevm", start_clonevm },
	{ "session", start_session },
	{ "clonevf", start_clonevf },
};

static int listen_on(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 4096) < 0)
		die("listen");
	return fd;
}

int main(int argc, char **argv)
{
	/* The kernel reaps, and the handler does not inherit that. */
	struct sigaction reap = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
	void (*start)(int) = NULL;
	int listener;

	if (argc < 4)
		return 2;
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
		if (strcmp(argv[1], ways[i].name) == 0)
			start = ways[i].start;
	if (!start)
		return 2;
	handler = argv + 3;
	sigaction(SIGCHLD, &reap, NULL);
	slots = mmap(NULL, SLOTS * sizeof *slots, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slots == MAP_FAILED)
		die("mmap");
	listener = listen_on(atoi(argv[2]));
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		start(fd);
		close(fd);
	}
}
