/* A JSON value and its spot, side by side: the members of objects and arrays one after the other,
 * each with the places of its key and value. */
#ifndef CONFIG_WALK_H
#define CONFIG_WALK_H

#include "daemon/config/loader.h"

#include <jansson.h>

/* Who is reading what. */
struct reader {
	struct loader *loader;
	const struct file *file;
	const char *owner; /* see struct place */
};

/* A JSON value and its spot in the reader's file; NOWHERE if it has none. */
struct value {
	json_t *json;
	uint32_t spot;
};

/* The members of an object, or the elements of an array, one after the other. */
struct walk {
	const struct file *file;
	json_t *parent;
	void *iter;
	size_t index;
	uint32_t spot;
};
void walk_begin(struct walk *w, const struct reader *r, struct value parent);
/* False at the end.  `key` is NULL for elements. */
bool walk_next(struct walk *w, const char **key, struct value *child);

/* The places of a member's key and of a value. */
struct place place_of_key(const struct reader *r, struct value v);
struct place place_of(const struct reader *r, struct value v);

#endif
