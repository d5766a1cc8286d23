/* System calls that leave errno alone, for a child that shares its parent's memory.
 *
 * The child of clone(CLONE_VM) also shares thread-local storage, so a failing libc wrapper in
 * the child would write the parent's errno under its feet.  Where this file does not know the
 * architecture it falls back to syscall(2), and RAW_SHARES_ERRNO tells the starter to suspend
 * the parent (CLONE_VFORK) and to save errno around the start. */
#ifndef OS_RAW_H
#define OS_RAW_H

#include <sys/syscall.h>

#if defined(__x86_64__) && defined(__LP64__)

static inline long raw_call(long n, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return r;
}

#elif defined(__aarch64__)

static inline long raw_call(long n, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory", "cc");
	return x0;
}

#elif defined(__i386__)

static inline long raw_call(long n, long a, long b, long c, long d, long e)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory", "cc");
	return r;
}

#elif defined(__arm__) && defined(__ARM_EABI__)

/* The number goes into r7, which is the frame pointer of Thumb and must not be seen to change. */
static inline long raw_call(long n, long a, long b, long c, long d, long e)
{
	register long r0 __asm__("r0") = a;
	register long r1 __asm__("r1") = b;
	register long r2 __asm__("r2") = c;
	register long r3 __asm__("r3") = d;
	register long r4 __asm__("r4") = e;
	long frame;

	__asm__ volatile("mov %[frame], r7\n\t"
			 "mov r7, %[n]\n\t"
			 "svc 0\n\t"
			 "mov r7, %[frame]"
			 : "+r"(r0), [frame] "=&r"(frame)
			 : [n] "r"(n), "r"(r1), "r"(r2), "r"(r3), "r"(r4)
			 : "memory", "cc");
	return r0;
}

#elif defined(__riscv) && __riscv_xlen == 64

static inline long raw_call(long n, long a, long b, long c, long d, long e)
{
	register long a7 __asm__("a7") = n;
	register long a0 __asm__("a0") = a;
	register long a1 __asm__("a1") = b;
	register long a2 __asm__("a2") = c;
	register long a3 __asm__("a3") = d;
	register long a4 __asm__("a4") = e;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4)
			 : "memory");
	return a0;
}

#else

#include <errno.h>
#include <unistd.h>
#define RAW_SHARES_ERRNO 1

static inline long raw_call(long n, long a, long b, long c, long d, long e)
{
	long r = syscall(n, a, b, c, d, e);

	return r < 0 ? -errno : r;
}

#endif

#ifndef RAW_SHARES_ERRNO
#define RAW_SHARES_ERRNO 0
#endif

/* Where ids had 16 bits once, the calls for those of 32 have names of their own. */
#ifdef SYS_setresuid32
#define RAW_SETGROUPS SYS_setgroups32
#define RAW_SETRESGID SYS_setresgid32
#define RAW_SETRESUID SYS_setresuid32
#else
#define RAW_SETGROUPS SYS_setgroups
#define RAW_SETRESGID SYS_setresgid
#define RAW_SETRESUID SYS_setresuid
#endif

#endif
