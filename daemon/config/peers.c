#include "daemon/config/peers.h"

#include "daemon/base/mem.h"
#include "daemon/config/identity.h"
#include "daemon/config/types.h"

#include <stdlib.h>
#include <string.h>

/* ---- one text ---- */

static bool by_name(const char *text)
{
	bool id = strncmp(text, "uid:", 4) == 0 || strncmp(text, "gid:", 4) == 0;

	return id && text[4] && !strchr("-0123456789", text[4]);
}

static void add(struct peer *p, const char *text)
{
	acl_parse(text, &p->prefixes[p->count++]);
}

const char *peer_parse(const char *text, struct peer *out)
{
	const char *wrong;

	*out = (struct peer){ .text = text };
	if (strcmp(text, "localhost") == 0) {
		add(out, "127.0.0.0/8");
		add(out, "::1");
	} else if (strcmp(text, "all") == 0) {
		add(out, "0.0.0.0/0");
		add(out, "::/0");
		/* Every group is everybody; as a rule about users it would go before all rules
		 * about groups. */
		out->prefixes[out->count++].key = acl_key_of_id(ACL_GID, 0);
		out->prefixes[out->count++].key = acl_key_of_id(ACL_CID, 0);
		out->form = PEER_ANY;
	} else if (by_name(text)) {
		add(out, text[0] == 'u' ? "uid:0" : "gid:0");
		out->account = text + 4;
		out->form = PEER_ID;
	} else {
		wrong = acl_parse(text, &out->prefixes[0]);
		out->count = 1;
		out->form = out->prefixes[0].key.kind >= ACL_UID ? PEER_ID : PEER_IP;
		return wrong;
	}
	return NULL;
}

const char *peer_resolve(struct loader *l, struct peer *p, char why[160])
{
	enum acl_kind kind = (enum acl_kind)p->prefixes[0].key.kind;
	const char *wrong;
	uint32_t id;

	if (!p->account)
		return NULL;
	wrong = identity_number(l, p->account, kind == ACL_UID, &id, why);
	if (!wrong)
		p->prefixes[0].key = acl_key_of_id(kind, id);
	return wrong;
}

/* ---- a list of them in JSON ---- */

struct list_of_peers {
	struct peer *items; /* owned */
	size_t count, cap;
};

static const struct key file_keys[] = {
	{ .name = "file", .type = KEY_TEXT },
	{ 0 },
};

static bool get_file(struct reader *r, const struct key *k, struct value v, struct peer *out)
{
	struct reader inner = *r;
	const char *name = NULL;
	char *path;

	inner.owner =
		r->owner ? arena_print(&r->loader->scratch, "%s: %s", r->owner, k->name) : k->name;
	object_read(&inner, NULL, file_keys, v, &name, NULL, NULL);
	if (!name && !json_object_get(v.json, "file"))
		value_complain(r, k, v, "the key 'file' is missing");
	if (name && !*name)
		value_complain(r, k, v, "the path is empty");
	if (!name || !*name)
		return false;
	path = file_beside(r->file, name);
	*out = (struct peer){ .form = PEER_FILE, .text = loader_text(r->loader, path) };
	free(path);
	return true;
}

static bool add_value(
	struct reader *r, const struct key *k, struct value v, struct list_of_peers *list)
{
	const char *text = json_string_value(v.json), *wrong;
	struct peer p;

	if (json_is_object(v.json)) {
		if (!get_file(r, k, v, &p))
			return false;
	} else if (!text) {
		wrong_type(r, k->name, v, "a prefix such as \"10.0.0.0/8\", or {\"file\": PATH}");
		return false;
	} else {
		wrong = peer_parse(loader_text(r->loader, text), &p);
		if (wrong) {
			value_complain(r, k, v, "'%s' %s", text, wrong);
			return false;
		}
	}
	p.place = place_of(r, v);
	list->items = mem_reserve(list->items, &list->cap, list->count + 1, sizeof *list->items);
	list->items[list->count++] = p;
	return true;
}

bool read_peers(struct reader *r, const struct key *k, struct value v, void *field)
{
	struct list_of_peers list = { 0 };
	struct value item;
	struct peer *kept;
	struct walk w;
	const char *key;
	bool ok = true;

	if (!json_is_array(v.json)) {
		ok = add_value(r, k, v, &list);
	} else if (json_array_size(v.json) < (size_t)k->min) {
		value_complain(r, k, v, "the array is empty");
		ok = false;
	} else {
		walk_begin(&w, r, v);
		while (walk_next(&w, &key, &item))
			ok = add_value(r, k, item, &list) && ok;
	}
	kept = arena_new(&r->loader->scratch, list.count * sizeof *kept);
	if (list.count)
		memcpy(kept, list.items, list.count * sizeof *kept);
	free(list.items);
	*(struct peers *)field = (struct peers){ kept, list.count };
	return ok;
}
