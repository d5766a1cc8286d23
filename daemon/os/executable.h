/* Would execve(2) take this file?  And if not, why, in words that help (H18).
 * Looks only: opens, reads the head, runs nothing. */
#ifndef OS_EXECUTABLE_H
#define OS_EXECUTABLE_H

#include <stdbool.h>
#include <stddef.h>

/* Checks the absolute `path`, as it is seen inside the folder `root` (NULL: no chroot).
 * Returns NULL if all is well, or what is wrong, to be put behind the path; in `why` or static.
 * *there says whether anything of that name exists. */
const char *executable_wrong(
	const char *root, const char *path, bool *there, char *why, size_t why_size);

#endif
