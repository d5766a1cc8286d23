/* Can the kernel run this file, and if not, why?  For the check at load and for the hint when
 * an exec failed (H18). */
#ifndef OS_PROGRAM_H
#define OS_PROGRAM_H

#include <stddef.h>

/* Looks at `path` (absolute, inside `chroot` unless that is NULL).  Returns 0, or -1 and a
 * sentence for a person in `why`.  Judges by mode bits and the file's first bytes; whether a
 * certain user may reach it is not asked. */
int program_check(const char *chroot, const char *path, char *why, size_t why_size);

#endif
