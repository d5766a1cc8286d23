/* One file and those that it includes: finds the sections, and reads them in the order that they
 * need, whatever their order in the file. */
#ifndef CONFIG_READING_H
#define CONFIG_READING_H

#include "daemon/config/loader.h"

/* Reads a file that the loader keeps.  Its services begin as copies of `base`; `depth` is 0 for the
 * main file, which alone may have keys of scope MAIN_FILE. */
void reading_file(struct loader *l, struct file *f, const struct draft *base, unsigned depth);

#endif
