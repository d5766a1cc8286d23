#include "daemon/os/binfmt.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KERNEL_LIST "/proc/sys/fs/binfmt_misc"
#define BYTES 256 /* the longest magic that the kernel takes is shorter */

struct format {
	bool enabled;
	char extension[64]; /* ".jar"; "" when it goes by magic */
	size_t offset, magic_size, mask_size;
	unsigned char magic[BYTES], mask[BYTES];
};

static size_t read_hex(const char *text, unsigned char out[BYTES])
{
	size_t n = 0;
	unsigned byte;

	while (n < BYTES && sscanf(text + 2 * n, "%2x", &byte) == 1)
		out[n++] = (unsigned char)byte;
	return n;
}

static void read_line(struct format *f, char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, "enabled") == 0)
		f->enabled = true;
	else if (strncmp(line, "extension ", 10) == 0)
		snprintf(f->extension, sizeof f->extension, "%.63s", line + 10);
	else if (strncmp(line, "offset ", 7) == 0)
		f->offset = strtoul(line + 7, NULL, 10);
	else if (strncmp(line, "magic ", 6) == 0)
		f->magic_size = read_hex(line + 6, f->magic);
	else if (strncmp(line, "mask ", 5) == 0)
		f->mask_size = read_hex(line + 5, f->mask);
}

static bool read_format(int folder, const char *name, struct format *f)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	FILE *in = fd < 0 ? NULL : fdopen(fd, "r");
	char line[4 * BYTES];

	*f = (struct format){ .enabled = false };
	if (!in) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (fgets(line, sizeof line, in))
		read_line(f, line);
	fclose(in);
	return f->enabled;
}

static bool matches(const struct format *f, const char *path, const char *head, size_t size)
{
	const char *dot = strrchr(path, '.');

	if (f->extension[0])
		return dot && strcmp(dot, f->extension) == 0;
	if (f->magic_size == 0 || f->offset > size || size - f->offset < f->magic_size)
		return false;
	for (size_t i = 0; i < f->magic_size; i++) {
		unsigned char mask = i < f->mask_size ? f->mask[i] : 0xff;

		if (((unsigned char)head[f->offset + i] & mask) != (f->magic[i] & mask))
			return false;
	}
	return true;
}

bool binfmt_takes(const char *folder, const char *path, const char *head, size_t size)
{
	DIR *dir = opendir(folder ? folder : KERNEL_LIST);
	struct dirent *entry;
	struct format f;
	bool taken = false;

	while (dir && !taken && (entry = readdir(dir))) {
		/* Two files that are no formats, and cannot all be read. */
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "register") == 0 ||
			strcmp(entry->d_name, "status") == 0)
			continue;
		taken = read_format(dirfd(dir), entry->d_name, &f) && matches(&f, path, head, size);
	}
	if (dir)
		closedir(dir);
	return taken;
}
