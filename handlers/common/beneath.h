/*
 * beneath: opens files below one folder and nowhere else.
 *
 * The kernel holds the border, openat2(2) with RESOLVE_BENEATH (Linux 5.6): no "..", no absolute
 * path, no symbolic link leads out, whatever changes in the folder meanwhile.  Links that stay
 * inside work.  It refuses to guess from the text of a path, and to work without openat2.
 */
#ifndef HANDLERS_COMMON_BENEATH_H
#define HANDLERS_COMMON_BENEATH_H

#include <stdbool.h>

/* The folder itself, for beneath_open.  -1 with errno; ENOSYS: this kernel cannot confine us. */
int beneath_root(const char *folder);

/* Opens for reading.  Never waits, on a FIFO for instance; the caller checks what it got.  -1 with
 * errno: EXDEV when the path leads out, ELOOP for a magic link. */
int beneath_open(int root, const char *path);

/* Is there a folder of that name ("" is the root)?  If not, errno says what else. */
bool beneath_has_folder(int root, const char *path);

#endif
