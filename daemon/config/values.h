/* JSON values to C values, by the type of their key.  Refuses what the row does not allow, with a
 * complaint at the value; says nothing about how values go together (build.h). */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

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

/* "a number", "an array" and so on. */
const char *kind_of(const json_t *v);

/* Complains that the value is not what is wanted: "wants a number, not a string". */
void wrong_type(struct reader *r, const char *key, struct value v, const char *wants);

/* Reads a value into the field of its row in `base`; KEY_SECTION is not for it.  False: there was
 * a complaint, and the field is as it was.  The fields' types:
 *   BOOL bool · COUNT uint32_t · INT int · DURATION uint64_t · OCTAL mode_t · WORD unsigned
 *   TEXT PATH ACCOUNT const char * · PATHS STRINGS NAMES ACCOUNTS ENV struct strings
 *   SINK struct sink · LISTEN struct service · RLIMITS struct service */
bool value_read(struct reader *r, const struct key *k, struct value v, void *base);

/* Reads an object of known keys into `base`.  For each known key, `each` is called first, if given;
 * it returns true if it has dealt with the member itself.  `within` is the key that the object is
 * the value of, for complaints; NULL: the owner says it. */
typedef bool each_member(void *context, const struct key *k, struct value v);
void object_read(struct reader *r, const char *within, const struct key *keys, struct value object,
	void *base, each_member *each, void *context);

/* The compound types, in compound.c. */
bool read_listen(struct reader *r, const struct key *k, struct value v, void *field);
bool read_env(struct reader *r, const struct key *k, struct value v, void *field);
bool read_names(struct reader *r, const struct key *k, struct value v, void *field);
bool read_sink(struct reader *r, const struct key *k, struct value v, void *field);
bool read_rlimits(struct reader *r, const struct key *k, struct value v, void *field);

#endif
