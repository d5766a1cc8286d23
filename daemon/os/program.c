#include "daemon/os/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_BYTES 256 /* as the kernel's BINPRM_BUF_SIZE */

struct look {
	const char *chroot;
	char *why;
	size_t why_size;
};

/* `path` as superd itself sees it. */
static int outside(const struct look *k, const char *path, char full[PATH_MAX])
{
	return snprintf(full, PATH_MAX, "%s%s", k->chroot ? k->chroot : "", path) < PATH_MAX ? 0
											     : -1;
}

/* Our own first bytes are what the kernel here runs. */
static int check_elf(const struct look *k, const unsigned char *head, size_t n)
{
	Elf64_Ehdr own, other;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, &own, sizeof own);

	if (fd >= 0)
		close(fd);
	/* A 32-bit program may run on a 64-bit kernel, so only the same class is compared. */
	if (got != sizeof own || n < sizeof other || head[EI_CLASS] != own.e_ident[EI_CLASS])
		return 0;
	memcpy(&other, head, sizeof other);
	if (other.e_machine == own.e_machine)
		return 0;
	snprintf(k->why, k->why_size, "it is built for another architecture (ELF machine %u)",
		other.e_machine);
	return -1;
}

static int check_interpreter(const struct look *k, char *line)
{
	char full[PATH_MAX];
	size_t len = strcspn(line, "\n");
	char *name;

	line[len] = '\0';
	if (len && line[len - 1] == '\r') {
		snprintf(k->why, k->why_size,
			"its #! line ends in a carriage return: save it with Unix line ends");
		return -1;
	}
	name = line + strspn(line, " \t");
	name[strcspn(name, " \t")] = '\0';
	if (!*name) {
		snprintf(k->why, k->why_size, "its #! line names no interpreter");
		return -1;
	}
	if (outside(k, name, full) == 0 && access(full, X_OK) == 0)
		return 0;
	snprintf(k->why, k->why_size, "the interpreter of its #! line, %s: %s%s", name,
		strerror(errno), k->chroot ? " (looked for inside the chroot)" : "");
	return -1;
}

static int check_head(const struct look *k, int fd)
{
	unsigned char head[HEAD_BYTES + 1];
	ssize_t n = read(fd, head, HEAD_BYTES);

	if (n < 0) {
		snprintf(k->why, k->why_size, "cannot read it: %s", strerror(errno));
		return -1;
	}
	head[n] = '\0';
	if (n >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
		return check_elf(k, head, (size_t)n);
	if (n >= 2 && head[0] == '#' && head[1] == '!')
		return check_interpreter(k, (char *)head + 2);
	snprintf(k->why, k->why_size,
		n ? "it is neither a binary nor a script with a #! line" : "the file is empty");
	return -1;
}

int program_check(const char *chroot, const char *path, char *why, size_t why_size)
{
	const struct look k = { chroot, why, why_size };
	char full[PATH_MAX];
	struct stat st;
	int fd, r;

	if (outside(&k, path, full) < 0) {
		snprintf(why, why_size, "the path is too long");
		return -1;
	}
	if (stat(full, &st) < 0) {
		snprintf(why, why_size, "%s", strerror(errno));
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(
			why, why_size, S_ISDIR(st.st_mode) ? "it is a folder" : "it is not a file");
		return -1;
	}
	if (access(full, X_OK) < 0) {
		snprintf(why, why_size, "it is not executable: chmod +x");
		return -1;
	}
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	/* A program that may be run and not read is fine. */
	if (fd < 0)
		return 0;
	r = check_head(&k, fd);
	close(fd);
	return r;
}
