/* Starting a child: the primitive, and the slots that its children borrow until they exec.
 *
 * Why clone(CLONE_VM | CLONE_FILES) and not fork, measured with `make bench`:
 *   fork       copies page tables: with 200 MB resident it falls to a fiftieth
 *   vfork      suspends the loop until the exec: three quarters of the speed
 *   CLONE_VM   shares memory, nothing is copied and the loop goes on at once
 *   CLONE_FILES  where many descriptors are open: shares their table too, and the child's first
 *              step takes a private copy of its low part only (CLOSE_RANGE_UNSHARE), so ten
 *              thousand listeners cost nothing.  Until then superd's own copy of the connection
 *              must stay open, because closing it would close the child's; whoever closes last
 *              has the work of the FIN, so with few descriptors it is cheaper to copy them all.
 *
 * Why sharing memory is safe.  The child runs our steps on its own small stack, changes nothing
 * outside its slot and makes raw system calls.  All signals that superd handles are read from a
 * signalfd, so no handler exists that could run in the child.  After setuid(2) the user could
 * ptrace a child that is still in our memory; the kernel forbids it because a change of
 * credentials makes the address space non-dumpable (fs.suid_dumpable 0 or 2).  Where that does not
 * hold or is not known, superd copies instead (plain fork semantics). */
#ifndef OS_START_H
#define OS_START_H

#include "daemon/os/steps.h"

#include <stdbool.h>

struct starter;

/* Opens the report pipe and the wake-up descriptor at their fixed low numbers (call it while
 * nothing but 0, 1 and 2 is open), and finds out what the kernel can do.
 * Never NULL; fatal() where the numbers are taken. */
struct starter *start_new(bool root);
void start_free(struct starter *s);

/* From here on sharing the descriptor table costs less than copying it: an open descriptor takes
 * a tenth of a microsecond to copy and to close again. */
#define START_MANY_FILES 128

/* Starts a child that walks the plan, which must live until the child has exec'ed or exited.
 * plan->share_files must be false unless start_can_share_files().
 * Returns the pid, and has taken plan->connection, plan->error and plan->admit: they are closed as
 * soon as the child has its own.  Or -1 with errno (EAGAIN: no more processes), and took nothing.
 */
pid_t start_child(struct starter *s, const struct plan *p);

/* Waits until every child has its own memory and descriptors, so that superd may become another
 * program; at most so long.  What was kept open for them is closed. */
void start_settle(struct starter *s, int wait_ms);

/* The event loop says when it is about to wait and when it is back.  Before it waits, everything
 * that can be closed is; after that, a child that gets its own table makes the wake-up
 * descriptor readable. */
void start_before_wait(struct starter *s);
void start_after_wait(struct starter *s);
int start_wake_fd(const struct starter *s);

/* To be called when it is readable. */
void start_woken(struct starter *s);

/* Read end of the pipe of struct report; non-blocking. */
int start_report_fd(const struct starter *s);

/* Has this kernel close_range(2), for the steps that need it? */
bool start_has_close_range(const struct starter *s);

/* May a plan ask to share the descriptor table? */
bool start_can_share_files(const struct starter *s);

/* How the last child was started, in words, for the tour. */
const char *start_describe(const struct starter *s);

#endif
