/* One configuration file in memory: its text, its JSON values, and where each of them stands.
 * Refuses what is not UTF-8 JSON with one object; knows nothing of keys. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include "daemon/config/complain.h"
#include "daemon/config/locate.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct checkpoint;

struct file {
	char *name;   /* owned; as the user named it */
	char *folder; /* owned; absolute: what relative paths in it are relative to */
	char *text;   /* owned; NUL-terminated.  NULL: there is no text, as for a command line */
	size_t len;
	json_t *root; /* owned */
	struct spots spots;
	struct checkpoint *checkpoints; /* owned */
	dev_t device; /* with the inode, which file it is; 0 and 0 if it is none */
	ino_t inode;
};

/* Reads and parses a file; "-" is the standard input.  NULL: complaints say why. */
struct file *file_open(const char *name, struct complaints *complaints);

/* The same from memory. */
struct file *file_from_text(
	const char *name, const char *text, size_t len, struct complaints *complaints);

/* A file of lines, not of JSON: there is a text with places, and no root.  It must be a regular
 * file.  NULL: *wrong says why, for a person. */
struct file *file_lines(const char *name, const char **wrong);

/* A file without text, for values that come from elsewhere: every place in it is line 0. */
struct file *file_nameless(const char *name);

void file_free(struct file *f);

/* Line and column, from 1; columns count characters.  NOWHERE, or no text: 0 and 0. */
void file_place(const struct file *f, uint32_t offset, unsigned *line, unsigned *column);

/* `path` as seen from the file's folder, on the heap; an absolute one stays. */
char *file_path(const struct file *f, const char *path);

/* The same as seen from where superd stands, so that complaints name files as users do. */
char *file_beside(const struct file *f, const char *path);

#endif
