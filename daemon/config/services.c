#include "daemon/config/services.h"
#include "daemon/config/types.h"

#include "daemon/base/mem.h"
#include "daemon/config/build.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define NAME_LIMIT 64

struct known_service {
	const char *name;
	struct place place;
	UT_hash_handle hh;
};

/* ---- keys into a draft ---- */

struct filling {
	struct reader *reader;
	struct draft *draft;
	bool defaults;
};

static bool fill(void *context, const struct key *k, struct value v)
{
	struct filling *f = context;
	struct place at = place_of_key(f->reader, v);

	if (f->defaults && k->scope == ITS_SERVICE) {
		loader_complain(f->reader->loader, &at, k->name,
			"belongs to one service, not to all of them");
		return true;
	}
	f->draft->places[k - schema_service] = place_of(f->reader, v);
	value_read(f->reader, k, v, f->draft);
	return true;
}

static void fill_draft(struct reader *r, struct value object, struct draft *d, bool defaults)
{
	struct filling f = { r, d, defaults };

	object_read(r, NULL, schema_service, object, d, fill, &f);
}

static void fill_options(struct loader *l, struct draft *d)
{
	struct reader r = { .loader = l, .file = l->command_line };

	if (l->command_line)
		fill_draft(&r, (struct value){ l->command_line->root, NOWHERE }, d, false);
}

void services_presets(struct loader *l, struct draft *out)
{
	*out = (struct draft){ 0 };
	presets_read(l, schema_service, out);
}

void services_defaults(struct reader *r, struct value section, struct draft *base)
{
	struct reader inner = *r;

	if (!json_is_object(section.json)) {
		wrong_type(r, "defaults", section, "an object of service keys");
		return;
	}
	inner.owner = "defaults";
	fill_draft(&inner, section, base, true);
}

/* ---- names ---- */

static const char *name_wrong(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_.-";

	if (!*name || name[strspn(name, allowed)] || strlen(name) > NAME_LIMIT)
		return "is not a name of a service: 1 to 64 letters, digits, dots, - and _";
	return NULL;
}

/* Takes the name, or says who has it. */
static void claim_name(struct loader *l, const char *name, const struct place *at)
{
	struct known_service *known;
	unsigned line, column;

	HASH_FIND_STR(l->names, name, known);
	if (known) {
		file_place(known->place.file, known->place.offset, &line, &column);
		loader_complain(l, at, NULL, "there is a service of that name already, at %s:%u:%u",
			known->place.file->name, line, column);
		return;
	}
	known = mem_new(sizeof *known);
	known->name = name;
	known->place = *at;
	HASH_ADD_KEYPTR(hh, l->names, known->name, strlen(known->name), known);
}

void services_forget(struct loader *l)
{
	struct known_service *known = l->names, *next;

	HASH_CLEAR(hh, l->names);
	for (; known; known = next) {
		next = known->hh.next;
		free(known);
	}
}

/* ---- one service ---- */

static const char *place_text(struct loader *l, const struct place *at)
{
	unsigned line, column;

	file_place(at->file, at->offset, &line, &column);
	if (!line)
		return loader_text(l, at->file->name);
	return arena_print(&l->config->arena, "%s:%u:%u", at->file->name, line, column);
}

/* What the keys leave: checks the whole, and puts it to the others. */
static void finish(struct loader *l, struct draft *d, const char *name, size_t first_claim)
{
	d->s.name = name;
	d->s.place = place_text(l, &d->name);
	build_service(l, d);
	if (!d->s.enabled)
		l->claims_count = first_claim;
	for (size_t i = first_claim; i < l->claims_count; i++)
		l->claims[i].service = d->s.name;
	l->services = mem_reserve(
		l->services, &l->services_cap, l->services_count + 1, sizeof *l->services);
	l->services[l->services_count++] = d->s;
}

static void read_service(
	struct reader *r, const char *name, struct value v, const struct draft *base)
{
	char owner[NAME_LIMIT + 24];
	struct reader inner = *r;
	struct loader *l = r->loader;
	struct draft d = *base;
	size_t first_claim = l->claims_count;

	d.name = place_of_key(r, v);
	if (name_wrong(name)) {
		loader_complain(l, &d.name, "services", "'%s' %s", name, name_wrong(name));
		return;
	}
	snprintf(owner, sizeof owner, "service '%s'", name);
	inner.owner = d.name.owner = owner;
	if (!json_is_object(v.json)) {
		wrong_type(&inner, NULL, v, "an object of keys");
		return;
	}
	claim_name(l, name, &d.name);
	fill_draft(&inner, v, &d, false);
	fill_options(l, &d);
	finish(l, &d, name, first_claim);
}

void services_read(struct reader *r, struct value section, const struct draft *base)
{
	const char *name;
	struct value v;
	struct walk w;

	if (!json_is_object(section.json)) {
		wrong_type(r, "services", section, "an object: a name and a service, and so on");
		return;
	}
	walk_begin(&w, r, section);
	while (walk_next(&w, &name, &v)) {
		if (!schema_is_comment(name))
			read_service(r, name, v, base);
	}
}

/* ---- the command line ---- */

/* The program's last name, with what no name of a service may have made into _. */
static void name_after(const char *program, char name[NAME_LIMIT + 1])
{
	const char *slash = strrchr(program, '/');

	snprintf(name, NAME_LIMIT + 1, "%s", slash && slash[1] ? slash + 1 : program);
	for (char *p = name; *p; p++) {
		char one[2] = { *p, '\0' };

		if (name_wrong(one))
			*p = '_';
	}
}

static void fill_one(
	struct loader *l, const char *place, const char *key, json_t *json, struct draft *d)
{
	struct reader r = { .loader = l, .file = loader_keep(l, file_nameless(place)) };
	struct filling f = { &r, d, false };

	fill(&f, schema_find(schema_service, key), (struct value){ json, NOWHERE });
}

void services_oneliner(struct loader *l, json_t *listen, json_t *argv, const struct draft *base)
{
	char name[NAME_LIMIT + 1];
	const char *program = json_string_value(json_array_get(argv, 0));
	struct draft d = *base;

	d.name = (struct place){ .file = l->command_line, .offset = NOWHERE };
	name_after(json_object_get(l->command_line->root, "trap") ? "trap" : "shell", name);
	if (program && *program)
		name_after(program, name);
	fill_one(l, "-l", "listen", listen, &d);
	if (program)
		fill_one(l, "--", "exec", argv, &d);
	fill_options(l, &d);
	finish(l, &d, name, 0);
}
