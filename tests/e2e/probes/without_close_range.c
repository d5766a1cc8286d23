/* Runs a program in a kernel without close_range(2): without_close_range PROGRAM [ARG...] */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's headers are not where every static compiler looks. */
struct filter {
	unsigned short code;
	unsigned char jt, jf;
	unsigned int k;
};
struct program {
	unsigned short len;
	struct filter *filter;
};

int main(int argc, char **argv)
{
	struct filter code[] = {
		{ 0x20, 0, 0, 0 },                    /* load the number of the call */
		{ 0x15, 0, 1, 436 },                  /* close_range? */
		{ 0x06, 0, 0, 0x00050000U | ENOSYS }, /* SECCOMP_RET_ERRNO */
		{ 0x06, 0, 0, 0x7fff0000U },          /* SECCOMP_RET_ALLOW */
	};
	struct program p = { sizeof code / sizeof *code, code };

	if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, 2, &p) < 0) {
		perror("seccomp");
		return 111;
	}
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 111;
}
