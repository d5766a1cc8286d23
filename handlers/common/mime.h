/*
 * mime: a file's media type, by the end of its name.
 *
 * The table is a text in the format of mime.types: a type, then the endings that mean it.  A file
 * is looked up where it lies, without a table in memory: one process asks once or twice.  It never
 * looks into the content.
 */
#ifndef HANDLERS_COMMON_MIME_H
#define HANDLERS_COMMON_MIME_H

#include <stdbool.h>
#include <stddef.h>

enum { MIME_SIZE = 128 };

/* The type of the file called name, from the text of a table.  False: it has none there. */
bool mime_find(char type[MIME_SIZE], const char *text, size_t len, const char *name);

/* The same, from the table in a file, or from a short one of our own if that cannot be read.
 * "application/octet-stream" if nothing fits; a text is said to be UTF-8. */
void mime_lookup(char type[MIME_SIZE], const char *table, const char *name);

#endif
