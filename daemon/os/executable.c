#include "daemon/os/executable.h"

#include "daemon/os/binfmt.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define HEAD 256 /* as many bytes as the kernel looks at */

/* Opens without opening: no device is touched.  With a root, links are followed as they will be
 * after chroot(2); where the kernel or a sandbox does not know how, a link may lead outside. */
static int open_path(int root, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	int fd;

	if (root == AT_FDCWD)
		return open(path, O_PATH | O_CLOEXEC);
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = openat(root, path + strspn(path, "/"), O_PATH | O_CLOEXEC);
	return fd;
}

/* The first bytes of a file opened by open_path; -1: they may not be read. */
static ssize_t read_head(int fd, char head[HEAD])
{
	char self[40];
	ssize_t n;
	int again;

	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	again = open(self, O_RDONLY | O_CLOEXEC);
	if (again < 0)
		return -1;
	n = pread(again, head, HEAD, 0);
	close(again);
	return n;
}

static const char *machine_name(unsigned machine)
{
	switch (machine) {
	case EM_386:
		return "32-bit x86";
	case EM_X86_64:
		return "x86-64";
	case EM_ARM:
		return "32-bit ARM";
	case EM_AARCH64:
		return "64-bit ARM";
	case EM_RISCV:
		return "RISC-V";
	case EM_PPC64:
		return "64-bit POWER";
	case EM_S390:
		return "S/390";
	default:
		return "another machine";
	}
}

static unsigned machine_of(const char head[HEAD])
{
	Elf32_Half machine; /* at the same place in 32 and 64 bits */

	memcpy(&machine, head + offsetof(Elf32_Ehdr, e_machine), sizeof machine);
	return machine;
}

/* Kernels of 64 bits run their 32-bit kin, and superd may be one of the kin. */
static bool runs(unsigned ours, unsigned theirs)
{
	static const struct {
		unsigned wide, narrow;
		const char *kernel;
	} kin[] = { { EM_X86_64, EM_386, "x86_64" }, { EM_AARCH64, EM_ARM, "aarch64" } };
	struct utsname u;

	for (size_t i = 0; i < sizeof kin / sizeof kin[0]; i++) {
		if (ours == kin[i].wide && theirs == kin[i].narrow)
			return true;
		if (ours == kin[i].narrow && theirs == kin[i].wide)
			return uname(&u) == 0 && strcmp(u.machine, kin[i].kernel) == 0;
	}
	return ours == theirs;
}

static const char *elf_wrong(const char head[HEAD], char *why, size_t why_size)
{
	int self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	char ours[HEAD];
	ssize_t n = self < 0 ? -1 : read_head(self, ours);

	if (self >= 0)
		close(self);
	if (n < (ssize_t)sizeof(Elf32_Ehdr))
		return NULL;
	if (head[EI_DATA] == ours[EI_DATA] && runs(machine_of(ours), machine_of(head)))
		return NULL;
	snprintf(why, why_size, "is built for %s; this is %s",
		head[EI_DATA] == ours[EI_DATA] ? machine_name(machine_of(head)) : "another machine",
		machine_name(machine_of(ours)));
	return why;
}

static const char *script_wrong(int root, char head[HEAD], size_t n, char *why, size_t why_size)
{
	char *newline = memchr(head, '\n', n), *name = head + 2, *end;
	int fd;

	/* A line that is longer than the kernel looks is cut there. */
	end = newline ? newline : head + (n < HEAD ? n : HEAD - 1);
	*end = '\0';
	if (newline && newline[-1] == '\r')
		return "has a #! line that ends in CR LF, which no interpreter understands; save "
		       "it "
		       "with LF";
	name += strspn(name, " \t");
	name[strcspn(name, " \t")] = '\0';
	if (!*name)
		return "has a #! line that names no interpreter";
	if (*name != '/')
		return NULL; /* relative to wherever the handler will be */
	fd = open_path(root, name);
	if (fd < 0) {
		snprintf(why, why_size,
			"needs the interpreter '%s' of its #! line, which does not exist", name);
		return why;
	}
	close(fd);
	return NULL;
}

/* By what it holds; a file that may be executed but not read is not looked into. */
static const char *content_wrong(int root, int fd, const char *path, char *why, size_t why_size)
{
	char head[HEAD];
	ssize_t n = read_head(fd, head);

	if (n < 0)
		return NULL;
	if (n == 0)
		return "is empty";
	if (n >= 2 && head[0] == '#' && head[1] == '!')
		return script_wrong(root, head, (size_t)n, why, why_size);
	if (binfmt_takes(NULL, path, head, (size_t)n))
		return NULL;
	if (n >= (ssize_t)sizeof(Elf32_Ehdr) && memcmp(head, ELFMAG, SELFMAG) == 0)
		return elf_wrong(head, why, why_size);
	return "is neither a program of this machine nor a script with a #! line";
}

static const char *file_wrong(int root, int fd, const char *path, char *why, size_t why_size)
{
	struct stat st;
	struct statvfs fs;

	if (fstat(fd, &st) < 0)
		return strerror(errno);
	if (S_ISDIR(st.st_mode))
		return "is a directory";
	if (!S_ISREG(st.st_mode))
		return "is not a regular file";
	if (!(st.st_mode & 0111))
		return "is not executable; chmod +x makes it so";
	if (fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_NOEXEC))
		return "is on a file system that is mounted noexec";
	return content_wrong(root, fd, path, why, why_size);
}

const char *executable_wrong(
	const char *root, const char *path, bool *there, char *why, size_t why_size)
{
	int at = root ? open(root, O_PATH | O_DIRECTORY | O_CLOEXEC) : AT_FDCWD;
	const char *wrong;
	int fd = -1;

	*there = false;
	if (!root || at >= 0)
		fd = open_path(at, path);
	if (fd < 0) {
		*there = errno != ENOENT && errno != ENOTDIR;
		wrong = *there ? strerror(errno) : "does not exist";
	} else {
		*there = true;
		wrong = file_wrong(at, fd, path, why, why_size);
		if (!wrong && !root && access(path, X_OK) < 0)
			wrong = "may not be executed by the user that superd runs as";
		close(fd);
	}
	if (at >= 0)
		close(at);
	return wrong;
}
