/* The key `rlimits`: resource limits, as numbers, sizes, times, or pairs of soft and hard. */
#include "daemon/base/mem.h"
#include "daemon/config/types.h"
#include "daemon/model/quantity.h"

#include <inttypes.h>
#include <string.h>

#define LIMITS_MAX 16

/* The list in the making, and which row of it is being read. */
struct limits {
	struct reader *reader;
	struct limit list[LIMITS_MAX];
	size_t count;
	bool ok;
};

static const char *limit_wants(const struct key *k)
{
	switch (k->type) {
	case KEY_LIMIT_SIZE:
		return "a size such as \"64M\", or \"unlimited\"";
	case KEY_LIMIT_TIME:
		return "seconds, or \"unlimited\"";
	default:
		return "a number, or \"unlimited\"";
	}
}

/* NULL, or what is wrong with the value. */
static const char *parse_limit(const struct key *k, const json_t *v, rlim_t *out)
{
	const char *text = json_string_value(v), *wrong = NULL;
	uint64_t n = 0;

	if (json_is_integer(v)) {
		if (json_integer_value(v) < 0)
			return "must not be negative; \"unlimited\" is a word";
		n = (uint64_t)json_integer_value(v);
	} else if (text && strcmp(text, "unlimited") == 0) {
		*out = RLIM_INFINITY;
		return NULL;
	} else if (text && k->type == KEY_LIMIT_SIZE) {
		wrong = quantity_size(text, &n);
	} else if (text && k->type == KEY_LIMIT_TIME) {
		wrong = quantity_duration(text, &n);
		if (!wrong && n % 1000)
			wrong = "is not whole seconds";
		n /= 1000;
	} else {
		return limit_wants(k);
	}
	if (!wrong && n >= RLIM_INFINITY)
		wrong = "is too large";
	*out = n;
	return wrong;
}

static bool read_one(struct limits *all, const struct key *k, struct value v, rlim_t *out)
{
	struct place at = place_of(all->reader, v);
	const char *wrong = parse_limit(k, v.json, out);
	const char *text = json_string_value(v.json);

	if (!wrong)
		return true;
	if (wrong == limit_wants(k))
		loader_complain(
			all->reader->loader, &at, "rlimits", "%s: wants %s", k->name, wrong);
	else if (text)
		loader_complain(
			all->reader->loader, &at, "rlimits", "%s: '%s' %s", k->name, text, wrong);
	else
		loader_complain(all->reader->loader, &at, "rlimits", "%s: %s", k->name, wrong);
	return false;
}

/* {"soft": …, "hard": …}; the one that is missing is as the other. */
static bool read_pair(struct limits *all, const struct key *k, struct value v, struct rlimit *out)
{
	struct place at = place_of(all->reader, v);
	bool soft = false, hard = false, ok = true;
	struct value item;
	struct walk w;
	const char *name;

	walk_begin(&w, all->reader, v);
	while (walk_next(&w, &name, &item)) {
		struct place key = place_of_key(all->reader, item);

		if (strcmp(name, "soft") == 0) {
			ok = read_one(all, k, item, &out->rlim_cur) && ok;
			soft = true;
		} else if (strcmp(name, "hard") == 0) {
			ok = read_one(all, k, item, &out->rlim_max) && ok;
			hard = true;
		} else if (!schema_is_comment(name)) {
			loader_complain(all->reader->loader, &key, "rlimits",
				"%s: unknown key '%s'; known: soft, hard", k->name, name);
			ok = false;
		}
	}
	if (ok && !soft && !hard) {
		loader_complain(all->reader->loader, &at, "rlimits", "%s: wants soft, hard or both",
			k->name);
		return false;
	}
	if (!soft)
		out->rlim_cur = out->rlim_max;
	if (!hard)
		out->rlim_max = out->rlim_cur;
	if (ok && out->rlim_cur > out->rlim_max) {
		loader_complain(
			all->reader->loader, &at, "rlimits", "%s: soft is above hard", k->name);
		return false;
	}
	return ok;
}

static bool each_limit(void *context, const struct key *k, struct value v)
{
	struct limits *all = context;
	struct limit *one = &all->list[all->count];
	bool ok;

	*one = (struct limit){ .resource = (int)k->offset };
	if (json_is_object(v.json)) {
		ok = read_pair(all, k, v, &one->value);
	} else {
		ok = read_one(all, k, v, &one->value.rlim_cur);
		one->value.rlim_max = one->value.rlim_cur;
	}
	all->count += ok;
	all->ok = all->ok && ok;
	return true;
}

bool read_rlimits(struct reader *r, const struct key *k, struct value v, void *field)
{
	struct limits all = { .reader = r, .ok = true };
	struct service *s = field;
	struct limit *list;

	if (!json_is_object(v.json)) {
		wrong_type(r, k->name, v, "an object of limits");
		return false;
	}
	object_read(r, k->name, k->keys, v, NULL, each_limit, &all);
	list = arena_new(&r->loader->config->arena, all.count * sizeof *list);
	memcpy(list, all.list, all.count * sizeof *list);
	s->limits = list;
	s->limits_count = all.count;
	return all.ok;
}
