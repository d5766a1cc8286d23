#include "daemon/os/start.h"

#include "daemon/base/fd.h"
#include "daemon/base/log.h"
#include "daemon/base/mem.h"
#include "daemon/os/raw.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/time_types.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The steps need a few hundred bytes; only the pages that are touched exist. */
#define STACK_BYTES 8192
#define SLOTS 64 /* a chunk; more chunks are made as they are needed */

/* Where more children than this are between clone and exec, superd lets them go first.  Children
 * that all start together keep each other from the processors, and the client of the last one
 * waits longest.  Measured: p99 a fifth to a quarter lower than without, connections a second six
 * per cent more; sleeping until the oldest has exec'ed, instead of yielding, loses those. */
#define WINDOW 8

struct slot {
	_Alignas(64) char stack[STACK_BYTES];
	struct starter *starter;
	const struct plan *plan;
	atomic_int tid; /* not 0: the child is between clone and exec; the kernel clears it */
	atomic_bool has_files; /* the child has its own descriptor table */
	bool pending;          /* our copies of the two below are still open */
	int connection, error, admit;
};

struct chunk {
	struct chunk *next;
	struct slot *slots; /* SLOTS of them, mapped */
};

struct starter {
	int flags; /* of clone(2), without the signal: all that this machine can do */
	int last_flags;
	int report_fd, wake_fd;
	bool has_close_range;
	atomic_bool waiting;
	struct chunk *chunks;
	unsigned next;
	struct slot *window[WINDOW]; /* the last ones, as a ring */
	unsigned oldest;
	struct slot **pending;
	size_t pending_count, pending_cap;
};

static struct chunk *chunk_new(void)
{
	struct chunk *c = mem_new(sizeof *c);

	c->slots = mmap(NULL, SLOTS * sizeof *c->slots, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c->slots == MAP_FAILED)
		fatal("cannot map stacks: %m");
	return c;
}

/* Since Linux 5.16 a core dump ends the process that dumps, and not all that share its memory. */
static bool dumps_alone(void)
{
	struct utsname u;
	unsigned major = 0, minor = 0;

	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 5 || (major == 5 && minor >= 16));
}

/* May a user reach into a process that has just become his?  By fs.suid_dumpable: with 0 not at
 * all; with 1 he may trace it; with 2 he may make it dump.  Where it cannot be read, he may. */
static bool exposed_after_setuid(void)
{
	char value = '1';
	int fd = open("/proc/sys/fs/suid_dumpable", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (read(fd, &value, 1) != 1)
			value = '1';
		close(fd);
	}
	return value == '1' || (value == '2' && !dumps_alone());
}

/* No close_range(2) with UNSHARE: Linux before 5.9, or a container's filter. */
static bool can_unshare_files(void)
{
	return raw_call(SYS_close_range, ~0U, ~0U, CLOSE_RANGE_UNSHARE, 0, 0) == 0;
}

/* Without close_range(2) a child cannot close what it does not know of; so what a parent left open
 * for us is made to go away at the exec (H13). */
static void close_inherited_at_exec(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		int fd = atoi(e->d_name);

		if (fd > 2)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	if (dir)
		closedir(dir);
}

static void take_number(int fd, int number)
{
	/* Our caller opened nothing yet, but a parent may have left descriptors open. */
	if (dup3(fd, number, O_CLOEXEC) < 0)
		fatal("descriptor %d: %m", number);
	close(fd);
}

static int clear_of_numbers(int fd)
{
	fd = fd_raise(fd, STEPS_WAKE_FD + 1);
	if (fd <= STEPS_WAKE_FD)
		fatal("cannot open a pipe: %m");
	return fd;
}

struct starter *start_new(bool root)
{
	struct starter *s = mem_new(sizeof *s);
	int ends[2], wake;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 ||
		(wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
		fatal("cannot open a pipe: %m");
	s->report_fd = clear_of_numbers(ends[0]);
	ends[1] = clear_of_numbers(ends[1]);
	wake = clear_of_numbers(wake);
	take_number(ends[1], STEPS_REPORT_FD);
	take_number(wake, STEPS_WAKE_FD);
	s->wake_fd = STEPS_WAKE_FD;
	s->flags = CLONE_VM;
	s->has_close_range = can_unshare_files();
	if (!s->has_close_range)
		close_inherited_at_exec();
	if (RAW_SHARES_ERRNO)
		s->flags |= CLONE_VFORK;
	if (root && exposed_after_setuid())
		s->flags = 0;
	s->chunks = chunk_new();
	return s;
}

void start_free(struct starter *s)
{
	if (!s)
		return;
	while (s->chunks) {
		struct chunk *c = s->chunks;

		s->chunks = c->next;
		munmap(c->slots, SLOTS * sizeof *c->slots);
		free(c);
	}
	close(STEPS_REPORT_FD);
	fd_close(&s->report_fd);
	fd_close(&s->wake_fd);
	free(s->pending);
	free(s);
}

/* Between clone and exec: the child stands on our stack and reads our plan. */
static bool borrowed(const struct slot *slot)
{
	return atomic_load_explicit(&slot->tid, memory_order_acquire) != 0;
}

/* The first chunk serves alone until all of its children are between clone and exec at once. */
static struct slot *find_slot(struct starter *s)
{
	struct chunk **c = &s->chunks;

	for (; *c; c = &(*c)->next)
		for (int i = 0; i < SLOTS; i++) {
			struct slot *slot = &(*c)->slots[s->next++ % SLOTS];

			if (!slot->pending && !borrowed(slot))
				return slot;
		}
	*c = chunk_new();
	return (*c)->slots;
}

/* In the child.  The order matters: first has_files, then a look at waiting; the parent does
 * it the other way round, so one of the two sees the other. */
__attribute__((no_sanitize("address", "undefined"))) static void have_own_files(void *context)
{
	static const uint64_t one = 1;
	struct slot *slot = context;

	/* It was born with its own: nobody waits for it. */
	if (atomic_load_explicit(&slot->has_files, memory_order_relaxed))
		return;
	atomic_store(&slot->has_files, true);
	if (atomic_load(&slot->starter->waiting))
		raw_call(SYS_write, STEPS_WAKE_FD, (long)&one, sizeof one, 0, 0);
}

__attribute__((no_sanitize("address", "undefined"))) static int child(void *context)
{
	struct slot *slot = context;

	steps_walk(slot->plan, (struct steps_hook){ have_own_files, slot });
}

static void close_copies(struct slot *slot)
{
	if (slot->error != slot->connection)
		fd_close(&slot->error);
	fd_close(&slot->connection);
	fd_close(&slot->admit);
	slot->pending = false;
}

static void close_pending(struct starter *s)
{
	size_t left = 0;

	for (size_t i = 0; i < s->pending_count; i++) {
		struct slot *slot = s->pending[i];

		/* A child that exited or exec'ed has no need of them either. */
		if (atomic_load(&slot->has_files) || !borrowed(slot))
			close_copies(slot);
		else
			s->pending[left++] = slot;
	}
	s->pending_count = left;
}

/* Once, and without sleeping: one that is stuck in its exec holds up nobody (H24). */
static void let_window_pass(const struct starter *s)
{
	const struct slot *oldest = s->window[s->oldest];

	if (oldest && borrowed(oldest))
		sched_yield();
}

static void enter_window(struct starter *s, struct slot *slot)
{
	s->window[s->oldest] = slot;
	s->oldest = (s->oldest + 1) % WINDOW;
}

pid_t start_child(struct starter *s, const struct plan *p)
{
	struct slot *slot;
	int flags = p->share_files ? s->flags | CLONE_FILES : s->flags;
	pid_t pid;

	let_window_pass(s);
	close_pending(s);
	s->last_flags = flags;
	slot = find_slot(s);
	slot->starter = s;
	slot->plan = p;
	slot->connection = p->connection;
	slot->error = p->error;
	slot->admit = p->admit;
	atomic_store_explicit(&slot->has_files, !(flags & CLONE_FILES), memory_order_relaxed);
	/* In a copied address space the kernel would clear the child's tid, not ours. */
	if (flags & CLONE_VM) {
		flags |= CLONE_CHILD_CLEARTID;
		atomic_store_explicit(&slot->tid, 1, memory_order_relaxed);
	}
	pid = clone(
		child, slot->stack + STACK_BYTES, flags | SIGCHLD, slot, NULL, NULL, &slot->tid);
	if (pid < 0) {
		atomic_store_explicit(&slot->tid, 0, memory_order_relaxed);
		return -1;
	}
	enter_window(s, slot);
	if (!(flags & CLONE_FILES)) {
		close_copies(slot);
		return pid;
	}
	slot->pending = true;
	s->pending = mem_reserve(
		s->pending, &s->pending_cap, s->pending_count + 1, sizeof(struct slot *));
	s->pending[s->pending_count++] = slot;
	return pid;
}

/* The kernel wakes whoever waits at the tid when it clears it. */
void start_settle(struct starter *s, int wait_ms)
{
	/* Of this call, also where time_t has 64 bits and long has 32. */
	const struct __kernel_old_timespec moment = { 0, 1000000 };

	for (struct chunk *c = s->chunks; c; c = c->next)
		for (int i = 0; i < SLOTS; i++)
			for (; wait_ms > 0 && borrowed(&c->slots[i]); wait_ms--)
				syscall(SYS_futex, &c->slots[i].tid, FUTEX_WAIT, 1, &moment, NULL,
					0);
	close_pending(s);
}

void start_before_wait(struct starter *s)
{
	atomic_store(&s->waiting, true);
	close_pending(s);
}

void start_after_wait(struct starter *s)
{
	atomic_store_explicit(&s->waiting, false, memory_order_relaxed);
}

void start_woken(struct starter *s)
{
	uint64_t count;

	/* EAGAIN: somebody took it.  Nothing else can happen to an eventfd of ours. */
	if (read(s->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
		fatal("wake-up descriptor: %m");
}

int start_wake_fd(const struct starter *s)
{
	return s->wake_fd;
}

int start_report_fd(const struct starter *s)
{
	return s->report_fd;
}

bool start_has_close_range(const struct starter *s)
{
	return s->has_close_range;
}

bool start_can_share_files(const struct starter *s)
{
	return s->has_close_range && s->flags & CLONE_VM;
}

const char *start_describe(const struct starter *s)
{
	if (!(s->last_flags & CLONE_VM))
		return "clone(SIGCHLD), which is fork";
	if (s->last_flags & CLONE_VFORK)
		return "clone(CLONE_VM|CLONE_VFORK), which is vfork";
	return s->last_flags & CLONE_FILES ? "clone(CLONE_VM|CLONE_FILES)" : "clone(CLONE_VM)";
}
