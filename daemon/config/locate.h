/* Where things stand in a JSON text: jansson keeps no places and drops duplicate keys silently,
 * so one scan of the same text makes a tree of spots beside jansson's tree of values.
 * Refuses to judge: the text must be one that jansson has accepted. */
#ifndef CONFIG_LOCATE_H
#define CONFIG_LOCATE_H

#include <stddef.h>
#include <stdint.h>

#define NOWHERE UINT32_MAX /* no such offset, no such spot */

/* One value.  Offsets are bytes into the text; child and next are indices of spots. */
struct spot {
	uint32_t key;   /* of its key; NOWHERE in an array and at the root */
	uint32_t value; /* of its first byte */
	uint32_t child; /* the first member or element */
	uint32_t next;  /* the next member or element of the same parent */
};

/* A key that one object has more than once. */
struct duplicate {
	uint32_t first, again; /* offsets of the keys */
};

struct spots {
	struct spot *list; /* owned; the root is spot 0 */
	size_t count, cap;
	struct duplicate *duplicates; /* owned, in order of `again` within one object */
	size_t duplicates_count, duplicates_cap;
};

/* Scans `text`, which ends in NUL.  Of duplicate keys the tree keeps one spot, with the place of
 * the last, as jansson keeps the last value.  Keys that begin with // are comments and may repeat.
 */
void locate(const char *text, struct spots *out);

void spots_free(struct spots *s);

#endif
