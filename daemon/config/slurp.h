/* All of a file in memory.  Knows nothing of what is in it. */
#ifndef CONFIG_SLURP_H
#define CONFIG_SLURP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct slurped {
	char *text; /* on the heap, the caller's; NUL-terminated */
	size_t len;
	dev_t device;
	ino_t inode;
};

/* Reads a file to its end; "-" is the standard input.  `regular`: it must be a regular file, and
 * what is a pipe does not make superd wait.  NULL, or why not, for a person. */
const char *slurp(const char *name, bool regular, struct slurped *out);

#endif
