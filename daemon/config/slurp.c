#include "daemon/config/slurp.h"

#include "daemon/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_LIMIT ((size_t)64 << 20)

/* False with errno. */
static bool read_all(struct slurped *s, int fd)
{
	size_t cap = 0;
	ssize_t n = 0;

	do {
		s->len += (size_t)n;
		s->text = mem_reserve(s->text, &cap, s->len + 4096 + 1, 1);
		do
			n = read(fd, s->text + s->len, cap - s->len - 1);
		while (n < 0 && errno == EINTR);
		if (s->len > SIZE_LIMIT) {
			errno = EFBIG;
			return false;
		}
	} while (n > 0);
	s->text[s->len] = '\0';
	return n == 0;
}

static const char *why_unreadable(int error)
{
	switch (error) {
	case ENOENT:
		return "there is no such file";
	case EISDIR:
		return "is a directory, not a file";
	case EACCES:
		return "may not be read: permission denied";
	case EFBIG:
		return "is larger than 64 MB, which no configuration is";
	default:
		return strerror(error);
	}
}

static const char *read_open(struct slurped *s, int fd, bool regular)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return why_unreadable(errno);
	if (S_ISDIR(st.st_mode))
		return why_unreadable(EISDIR);
	if (regular && !S_ISREG(st.st_mode))
		return "is no regular file";
	s->device = st.st_dev;
	s->inode = st.st_ino;
	return read_all(s, fd) ? NULL : why_unreadable(errno);
}

const char *slurp(const char *name, bool regular, struct slurped *out)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | (regular ? O_NONBLOCK : 0);
	int fd = !regular && strcmp(name, "-") == 0 ? 0 : open(name, flags);
	const char *wrong;

	*out = (struct slurped){ 0 };
	wrong = fd < 0 ? why_unreadable(errno) : read_open(out, fd, regular);
	if (fd > 0)
		close(fd);
	if (wrong) {
		free(out->text);
		out->text = NULL;
	}
	return wrong;
}
