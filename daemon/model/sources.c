#include "daemon/model/sources.h"

#include "daemon/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 256

struct sources {
	uint64_t key[2];
	size_t idle_max;
	size_t count, resting;
	size_t mask; /* buckets - 1, a power of two less one */
	struct source **buckets;
	struct source *oldest, *newest; /* of those at rest */
};

/* SipHash-1-3 of three words: fast, and useless to predict without the key. */
static uint64_t rotate(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static uint64_t hash(const struct sources *t, const struct acl_key *key, uint32_t service)
{
	uint64_t v[4] = { t->key[0] ^ 0x736f6d6570736575, t->key[1] ^ 0x646f72616e646f6d,
		t->key[0] ^ 0x6c7967656e657261, t->key[1] ^ 0x7465646279746573 };
	uint64_t words[3];

	memcpy(words, key->bytes, sizeof key->bytes);
	words[2] = (uint64_t)service << 8 | key->kind;
	for (int i = 0; i < 3; i++) {
		v[3] ^= words[i];
		sip_round(v);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct sources *sources_new(const uint64_t key[2], size_t idle_max)
{
	struct sources *t = mem_new(sizeof *t);

	t->key[0] = key[0];
	t->key[1] = key[1];
	t->idle_max = idle_max;
	t->mask = FIRST_BUCKETS - 1;
	t->buckets = mem_array(FIRST_BUCKETS, sizeof(struct source *));
	return t;
}

void sources_free(struct sources *t)
{
	if (!t)
		return;
	for (size_t i = 0; i <= t->mask; i++)
		while (t->buckets[i]) {
			struct source *s = t->buckets[i];

			t->buckets[i] = s->next;
			free(s);
		}
	free(t->buckets);
	free(t);
}

static struct source **bucket_of(struct sources *t, const struct source *s)
{
	return &t->buckets[hash(t, &s->key, s->service) & t->mask];
}

static void grow(struct sources *t)
{
	size_t old = t->mask + 1;
	struct source **buckets = t->buckets;

	t->mask = old * 2 - 1;
	t->buckets = mem_array(old * 2, sizeof(struct source *));
	for (size_t i = 0; i < old; i++)
		while (buckets[i]) {
			struct source *s = buckets[i], **to = bucket_of(t, s);

			buckets[i] = s->next;
			s->next = *to;
			*to = s;
		}
	free(buckets);
}

static void wake(struct sources *t, struct source *s)
{
	*(s->older ? &s->older->newer : &t->oldest) = s->newer;
	*(s->newer ? &s->newer->older : &t->newest) = s->older;
	s->resting = false;
	t->resting--;
}

static void rest(struct sources *t, struct source *s)
{
	s->older = t->newest;
	s->newer = NULL;
	*(t->newest ? &t->newest->newer : &t->oldest) = s;
	t->newest = s;
	s->resting = true;
	t->resting++;
}

static void forget(struct sources *t, struct source *s)
{
	struct source **link = bucket_of(t, s);

	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	wake(t, s);
	t->count--;
	free(s);
}

void sources_touch(struct sources *t, struct source *s)
{
	bool resting = s->live == 0 && s->waiting == 0;

	if (s->resting)
		wake(t, s);
	if (resting)
		rest(t, s);
}

struct source *sources_find(const struct sources *t, const struct acl_key *key, uint32_t service)
{
	struct source *s = t->buckets[hash(t, key, service) & t->mask];

	while (s && (s->service != service || !acl_same(&s->key, key)))
		s = s->next;
	return s;
}

struct source *sources_get(struct sources *t, const struct acl_key *key, uint32_t service)
{
	struct source *s = sources_find(t, key, service), **bucket;

	if (s) {
		/* One that comes again and again is not the longest unseen. */
		sources_touch(t, s);
		return s;
	}
	while (t->resting >= t->idle_max && t->oldest)
		forget(t, t->oldest);
	if (t->count > t->mask)
		grow(t);
	s = mem_new(sizeof *s);
	s->key = *key;
	s->service = service;
	bucket = bucket_of(t, s);
	s->next = *bucket;
	*bucket = s;
	t->count++;
	rest(t, s);
	return s;
}

void sources_each(
	const struct sources *t, void (*each)(const struct source *s, void *context), void *context)
{
	for (size_t i = 0; i <= t->mask; i++)
		for (const struct source *s = t->buckets[i]; s; s = s->next)
			each(s, context);
}

size_t sources_count(const struct sources *t)
{
	return t->count;
}

size_t sources_resting(const struct sources *t)
{
	return t->resting;
}
