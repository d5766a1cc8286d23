#include "daemon/config/locate.h"

#include "daemon/base/mem.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A key of the object that is being read. */
struct member {
	const char *text; /* without quotes, unescaped */
	size_t len;
	json_t *unescaped; /* owned; NULL: `text` points into the file */
	uint32_t spot;
};

struct scan {
	const char *text;
	const char *at;
	struct spots *out;
	struct member *members; /* a stack: the open objects' keys, innermost last */
	size_t count, cap;
};

static uint32_t read_value(struct scan *s);

static void skip_space(struct scan *s)
{
	s->at += strspn(s->at, " \t\r\n");
}

static uint32_t offset(const struct scan *s)
{
	return (uint32_t)(s->at - s->text);
}

static uint32_t new_spot(struct scan *s)
{
	struct spots *o = s->out;

	o->list = mem_reserve(o->list, &o->cap, o->count + 1, sizeof *o->list);
	o->list[o->count] = (struct spot){ NOWHERE, NOWHERE, NOWHERE, NOWHERE };
	return (uint32_t)o->count++;
}

/* At an opening quote; moves behind the closing one.  True: there are escapes inside. */
static bool skip_string(struct scan *s)
{
	bool escapes = false;

	for (s->at++; *s->at && *s->at != '"'; s->at++) {
		if (*s->at == '\\' && s->at[1]) {
			escapes = true;
			s->at++;
		}
	}
	if (*s->at)
		s->at++;
	return escapes;
}

static struct member read_key(struct scan *s)
{
	const char *start = s->at;
	bool escapes = skip_string(s);
	struct member m = { .text = start + 1, .len = (size_t)(s->at - start) - 2 };

	if (escapes) {
		m.unescaped = json_loadb(start, (size_t)(s->at - start), JSON_DECODE_ANY, NULL);
		if (m.unescaped) {
			m.text = json_string_value(m.unescaped);
			m.len = json_string_length(m.unescaped);
		}
	}
	return m;
}

static int compare_keys(const struct member *a, const struct member *b)
{
	int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

	if (order == 0 && a->len != b->len)
		order = a->len < b->len ? -1 : 1;
	return order;
}

static int by_key_and_place(const void *left, const void *right)
{
	const struct member *a = left, *b = right;
	int order = compare_keys(a, b);

	if (order == 0)
		order = a->spot < b->spot ? -1 : 1;
	return order;
}

static bool is_comment(const struct member *m)
{
	return m->len >= 2 && m->text[0] == '/' && m->text[1] == '/';
}

static void note_duplicate(struct spots *o, const struct spot *first, const struct spot *again)
{
	o->duplicates = mem_reserve(
		o->duplicates, &o->duplicates_cap, o->duplicates_count + 1, sizeof *o->duplicates);
	o->duplicates[o->duplicates_count++] = (struct duplicate){ first->key, again->key };
}

/* Looks at the keys of the object that ends here, on top of the stack from `base`.  A spot that a
 * later one replaces gets its content, and the later one is marked for unlinking by key NOWHERE.
 * True: there are such. */
static bool merge_duplicates(struct scan *s, size_t base)
{
	size_t n = s->count - base;
	struct member *m = n ? s->members + base : NULL;
	bool any = false;

	if (n)
		qsort(m, n, sizeof *m, by_key_and_place);
	for (size_t i = 0, j; i < n; i = j) {
		struct spot *first = &s->out->list[m[i].spot];
		const struct spot original = *first;

		for (j = i + 1; j < n && compare_keys(&m[i], &m[j]) == 0; j++) {
			struct spot *again = &s->out->list[m[j].spot];

			if (!is_comment(&m[i]))
				note_duplicate(s->out, &original, again);
			first->key = again->key;
			first->value = again->value;
			first->child = again->child;
			again->key = NOWHERE;
			any = true;
		}
	}
	return any;
}

static void unlink_merged(struct spots *o, uint32_t object)
{
	uint32_t *link = &o->list[object].child;

	while (*link != NOWHERE) {
		struct spot *child = &o->list[*link];

		if (child->key == NOWHERE)
			*link = child->next;
		else
			link = &child->next;
	}
}

static void pop_members(struct scan *s, size_t base)
{
	while (s->count > base)
		json_decref(s->members[--s->count].unescaped);
}

static void link_child(struct scan *s, uint32_t parent, uint32_t *last, uint32_t child)
{
	if (*last == NOWHERE)
		s->out->list[parent].child = child;
	else
		s->out->list[*last].next = child;
	*last = child;
}

static void read_object(struct scan *s, uint32_t object)
{
	size_t base = s->count;
	uint32_t last = NOWHERE;

	for (s->at++, skip_space(s); *s->at == '"'; skip_space(s)) {
		uint32_t key = offset(s);
		struct member m = read_key(s);

		skip_space(s);
		s->at += *s->at == ':';
		m.spot = read_value(s);
		s->out->list[m.spot].key = key;
		link_child(s, object, &last, m.spot);
		s->members = mem_reserve(s->members, &s->cap, s->count + 1, sizeof *s->members);
		s->members[s->count++] = m;
		skip_space(s);
		s->at += *s->at == ',';
	}
	s->at += *s->at == '}';
	if (merge_duplicates(s, base))
		unlink_merged(s->out, object);
	pop_members(s, base);
}

static void read_array(struct scan *s, uint32_t array)
{
	uint32_t last = NOWHERE;

	for (s->at++, skip_space(s); *s->at && *s->at != ']'; skip_space(s)) {
		link_child(s, array, &last, read_value(s));
		skip_space(s);
		s->at += *s->at == ',';
	}
	s->at += *s->at == ']';
}

/* Recursion is as deep as jansson allows it to be (2048). */
static uint32_t read_value(struct scan *s)
{
	uint32_t spot = new_spot(s);

	skip_space(s);
	s->out->list[spot].value = offset(s);
	switch (*s->at) {
	case '{':
		read_object(s, spot);
		break;
	case '[':
		read_array(s, spot);
		break;
	case '"':
		skip_string(s);
		break;
	default:
		s->at += strcspn(s->at, " \t\r\n,]}");
	}
	return spot;
}

void locate(const char *text, struct spots *out)
{
	struct scan s = { .text = text, .at = text, .out = out };

	*out = (struct spots){ 0 };
	read_value(&s);
	free(s.members);
}

void spots_free(struct spots *s)
{
	free(s->list);
	free(s->duplicates);
	*s = (struct spots){ 0 };
}
