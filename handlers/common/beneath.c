#include "handlers/common/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

/* <linux/openat2.h>, which a machine with nothing but musl does not have. */
struct how {
	uint64_t flags, mode, resolve;
};
enum { NO_MAGICLINKS = 0x02, BENEATH = 0x08 };

static int openat2(int folder, const char *path, int flags, uint64_t resolve)
{
	struct how how = { .flags = (uint64_t)(flags | O_CLOEXEC), .resolve = resolve };
	int fd, tries = 0;

	/* EAGAIN: something was renamed meanwhile, so that the kernel could not be sure. */
	do
		fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN && ++tries < 100);
	return fd;
}

int beneath_root(const char *folder)
{
	/* With openat2 as well: if it is missing, we know before anything is served. */
	return openat2(AT_FDCWD, folder, O_PATH | O_DIRECTORY, 0);
}

int beneath_open(int root, const char *path)
{
	return openat2(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_LARGEFILE,
		BENEATH | NO_MAGICLINKS);
}

bool beneath_has_folder(int root, const char *path)
{
	int fd = openat2(root, *path ? path : ".", O_PATH | O_DIRECTORY, BENEATH | NO_MAGICLINKS);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}
