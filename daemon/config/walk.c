#include "daemon/config/walk.h"

/* jansson keeps the order of the file, and of duplicate keys the place of the first; locate()
 * does the same.  So a tree of values and its tree of spots are walked side by side. */
void walk_begin(struct walk *w, const struct reader *r, struct value parent)
{
	*w = (struct walk){ .file = r->file, .parent = parent.json, .spot = NOWHERE };
	if (json_is_object(parent.json))
		w->iter = json_object_iter(parent.json);
	if (parent.spot != NOWHERE)
		w->spot = r->file->spots.list[parent.spot].child;
}

bool walk_next(struct walk *w, const char **key, struct value *child)
{
	*key = NULL;
	if (json_is_object(w->parent)) {
		if (!w->iter)
			return false;
		*key = json_object_iter_key(w->iter);
		child->json = json_object_iter_value(w->iter);
		w->iter = json_object_iter_next(w->parent, w->iter);
	} else {
		if (w->index >= json_array_size(w->parent))
			return false;
		child->json = json_array_get(w->parent, w->index++);
	}
	child->spot = w->spot;
	if (w->spot != NOWHERE)
		w->spot = w->file->spots.list[w->spot].next;
	return true;
}

struct place place_of_key(const struct reader *r, struct value v)
{
	uint32_t offset = v.spot == NOWHERE ? NOWHERE : r->file->spots.list[v.spot].key;

	return (struct place){ r->file, offset, r->owner };
}

struct place place_of(const struct reader *r, struct value v)
{
	uint32_t offset = v.spot == NOWHERE ? NOWHERE : r->file->spots.list[v.spot].value;

	return (struct place){ r->file, offset, r->owner };
}
