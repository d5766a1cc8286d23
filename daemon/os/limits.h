/* superd's own limit of descriptors. */
#ifndef OS_LIMITS_H
#define OS_LIMITS_H

#include <stdbool.h>
#include <sys/resource.h>

/* Raises RLIMIT_NOFILE to its hard limit; *original is what it was.  True if it changed, and
 * then every child gets the original back (H21). */
bool limits_raise_nofile(struct rlimit *original);

#endif
