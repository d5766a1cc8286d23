#include "daemon/config/tune.h"

#include "daemon/config/loader.h"
#include "daemon/config/values.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	enum key_type type;
	size_t size;
} fields[] = {
	{ KEY_COUNT, sizeof(uint32_t) },
	{ KEY_DURATION, sizeof(uint64_t) },
	{ KEY_RATE, sizeof(struct rate) },
};

static size_t size_of(const struct key *k)
{
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (fields[i].type == k->type)
			return fields[i].size;
	return 0;
}

/* As a file would have it: a number is a number, "30/m" needs no quotes. */
static json_t *value_of(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	return value ? value : json_string(text);
}

static const struct key *tunable(const char *name, struct complaints *complaints)
{
	const struct key *k = schema_find(schema_service, name);
	char hint[160];

	if (k && k->tunable)
		return k;
	if (k)
		complain(complaints, "set", 0, 0,
			"%s: only a limit can be set while superd runs; edit the file and reload",
			name);
	else
		complain(complaints, "set", 0, 0, "unknown key '%s'%s", name,
			schema_hint(schema_service, name, hint));
	return NULL;
}

/* The value goes through a draft, as one that is read from a file does. */
static bool read_value(
	const struct key *k, const char *text, struct draft *draft, struct complaints *complaints)
{
	struct loader l = { .config = config_new(), .complaints = complaints };
	struct file *f = loader_keep(&l, file_nameless("set"));
	struct reader r = { .loader = &l, .file = f };
	struct value v = { value_of(text), NOWHERE };
	size_t before = complaints->count;

	if (!v.json)
		complain(complaints, "set", 0, 0, "%s: is not UTF-8", k->name);
	else
		value_read(&r, k, v, draft);
	json_decref(v.json);
	loader_fini(&l);
	return complaints->count == before;
}

static struct config *derive(struct config *base)
{
	struct config *c = config_new();
	struct arena arena = c->arena;
	size_t bytes = base->services_count * sizeof *base->services;
	struct service *services = arena_new(&arena, bytes);

	memcpy(services, base->services, bytes);
	*c = *base;
	c->arena = arena;
	c->references = 1;
	c->services = services;
	/* What is not our own is of the one that was read from files. */
	c->base = config_ref(base->base ? base->base : base);
	c->acls = NULL;
	c->acls_count = c->acls_cap = 0;
	return c;
}

/* What mode.c says of a file. */
static bool fits_mode(const struct service *s, const char *key, struct complaints *complaints)
{
	static const char *const of_clients[] = { "max_per_source", "rate", "rate_per_source",
		"idle_timeout" };

	for (size_t i = 0; s->wait && i < sizeof of_clients / sizeof *of_clients; i++) {
		if (strcmp(of_clients[i], key) != 0)
			continue;
		complain(complaints, "set", 0, 0,
			"%s: in mode \"wait\" the program meets its clients itself, so superd "
			"cannot "
			"do this",
			key);
		return false;
	}
	if (s->datagrams && !s->wait && (!s->max_connections || !s->idle_timeout_ms)) {
		complain(complaints, "set", 0, 0,
			"%s: cannot be 0, since nothing else bounds the senders of datagrams", key);
		return false;
	}
	return true;
}

struct config *config_tune(struct config *base, size_t service, const char *key, const char *value,
	struct complaints *complaints)
{
	const struct key *k = tunable(key, complaints);
	struct draft *draft;
	struct config *c = NULL;

	if (!k)
		return NULL;
	draft = mem_new(sizeof *draft);
	if (read_value(k, value, draft, complaints)) {
		struct service *s;

		c = derive(base);
		s = (struct service *)&c->services[service];
		memcpy((char *)s + k->offset - offsetof(struct draft, s), (char *)draft + k->offset,
			size_of(k));
		if (!fits_mode(s, key, complaints)) {
			config_unref(c);
			c = NULL;
		}
	}
	free(draft);
	return c;
}
