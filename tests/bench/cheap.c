/* The cheapest handler: one line back to the client, without a C library, so that a process
 * starts and ends in the time that the kernel needs.  x86-64 only. */
#include <sys/syscall.h>

static long call(long n, long a, long b, long c)
{
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return r;
}

void _start(void);

__attribute__((force_align_arg_pointer)) void _start(void)
{
	char line[512];
	long n = 0, r = 1;

	while (n < (long)sizeof line && r > 0 && (n == 0 || line[n - 1] != '\n')) {
		r = call(SYS_read, 0, (long)(line + n), (long)sizeof line - n);
		n += r > 0 ? r : 0;
	}
	if (n > 0)
		r = call(SYS_write, 1, (long)line, n);
	for (;;)
		call(SYS_exit_group, r < 0, 0, 0);
}
