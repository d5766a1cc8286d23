/* From the first word of `exec` to the path of a program that can be executed. */
#ifndef CONFIG_PROGRAM_H
#define CONFIG_PROGRAM_H

#include "daemon/config/loader.h"

/* Finds a program: an absolute path, or a name to look for in handler_path and superd's PATH.
 * With a chroot, all of them are as seen inside.  Returns the path in the config's arena, or NULL
 * and says in *why, for a person, what is wrong.  Every question is asked once. */
const char *program_find(struct loader *l, const char *name, const char *chroot, const char **why);

void program_forget(struct loader *l);

#endif
