/* What is known of each source of connections: how many are live, how fast they come, how often
 * they were refused.
 *
 * Bounded (H34): sources at rest are forgotten, the longest unseen first, beyond `idle_max` of
 * them; one with live handlers is never forgotten.  The hash has a key of its own in each
 * process, so nobody can choose addresses that collide.  Pure: time and key are arguments. */
#ifndef MODEL_SOURCES_H
#define MODEL_SOURCES_H

#include "daemon/model/acl.h"
#include "daemon/model/bucket.h"

#include <stddef.h>

struct source {
	struct acl_key key; /* cut down to the source's prefix */
	uint32_t service;   /* what else distinguishes it: a number of the caller's */
	uint32_t live;      /* the caller counts; see sources_rest */
	uint32_t waiting;
	uint32_t refused;
	struct bucket bucket;
	uint64_t refused_since_us;
	void *lane; /* the caller's, while somebody waits */

	/* The table's own. */
	struct source *next;
	struct source *older, *newer; /* only at rest */
	bool resting;
};

struct sources;

struct sources *sources_new(const uint64_t key[2], size_t idle_max);
void sources_free(struct sources *t); /* NULL is fine */

/* The record of a source, made if there is none.  Never NULL; good until it rests and another
 * one is asked for. */
struct source *sources_get(struct sources *t, const struct acl_key *key, uint32_t service);

/* The same, but NULL if there is none. */
struct source *sources_find(const struct sources *t, const struct acl_key *key, uint32_t service);

/* To be called after `live` or `waiting` changed: at 0 and 0 the source may be forgotten. */
void sources_touch(struct sources *t, struct source *s);

/* Each of them, in no order. */
void sources_each(const struct sources *t, void (*each)(const struct source *s, void *context),
	void *context);

/* How many are known, and how many of them are at rest. */
size_t sources_count(const struct sources *t);
size_t sources_resting(const struct sources *t);

#endif
