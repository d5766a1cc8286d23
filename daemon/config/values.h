/* JSON values to C values, by the type of their key.  Refuses what the row does not allow, with a
 * complaint at the value; says nothing about how values go together (build.h). */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "daemon/config/walk.h"

/* Reads a value into the field of its row in `base`; KEY_SECTION is not for it.  False: there was
 * a complaint, so that nothing will use the field.  The fields' types:
 *   BOOL bool · COUNT uint32_t · INT int · DURATION SIZE uint64_t · OCTAL mode_t · WORD unsigned
 *   RATE struct rate · PEERS struct peers
 *   TEXT PATH ACCOUNT const char * · PATHS STRINGS NAMES ACCOUNTS ENV struct strings
 *   SINK struct sink · LISTEN struct service · RLIMITS struct service */
bool value_read(struct reader *r, const struct key *k, struct value v, void *base);

/* Sets the fields of all keys in `base` that have a preset, also of the objects among them. */
void presets_read(struct loader *l, const struct key *keys, void *base);

/* Reads an object of known keys into `base`.  For each known key, `each` is called first, if given;
 * it returns true if it has dealt with the member itself.  `within` is the key that the object is
 * the value of, for complaints; NULL: the owner says it. */
typedef bool each_member(void *context, const struct key *k, struct value v);
void object_read(struct reader *r, const char *within, const struct key *keys, struct value object,
	void *base, each_member *each, void *context);

#endif
