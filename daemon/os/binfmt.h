/* Formats of programs that were registered with this kernel (binfmt_misc), such as those that
 * qemu runs.  Reads /proc only. */
#ifndef OS_BINFMT_H
#define OS_BINFMT_H

#include <stdbool.h>
#include <stddef.h>

/* True if one of the formats under `folder` (NULL: the kernel's own list) takes a program of that
 * path and these first bytes. */
bool binfmt_takes(const char *folder, const char *path, const char *head, size_t size);

#endif
