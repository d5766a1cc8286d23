#include "handlers/status/routes.h"

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_EVENTS = 100 }; /* unless told otherwise */

static const char *const by_service[] = { "service", NULL };
static const char *const by_address[] = { "service", "address", NULL };
static const char *const of_log[] = { "last", "level", NULL };

static const struct route routes[] = {
	{ "/", "list", answer_page, NULL },
	{ "/metrics", "list", answer_metrics, NULL },
	{ "/healthz", "version", answer_health, NULL },
	{ "/api", "list", answer_json, NULL },
	{ "/api/list", "list", answer_json, NULL },
	{ "/api/version", "version", answer_json, NULL },
	{ "/api/bans", "bans", answer_json, NULL },
	{ "/api/ps", "ps", answer_json, by_service },
	{ "/api/show", "show", answer_json, by_service },
	{ "/api/explain", "explain", answer_json, by_address },
	{ "/api/log", "log", answer_json, of_log },
};

const struct route *route_find(const char *path)
{
	for (size_t i = 0; path && i < sizeof(routes) / sizeof(routes[0]); i++)
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return NULL;
}

static bool is_among(const char *const *keys, const char *key)
{
	for (; *keys; keys++)
		if (strcmp(*keys, key) == 0)
			return true;
	return false;
}

/* False: it says something else than it may. */
static bool add_query(json_t *question, const char *const *keys, const char *query)
{
	struct evkeyvalq said = { 0 };
	const struct evkeyval *each;
	bool good = evhttp_parse_query_str(query, &said) == 0;

	for (each = said.tqh_first; good && each; each = each->next.tqe_next) {
		json_t *value = strcmp(each->key, "last") == 0
					? json_integer(strtoll(each->value, NULL, 10))
					: json_string(each->value);

		good = is_among(keys, each->key) &&
		       json_object_set(question, each->key, value) == 0;
		json_decref(value);
	}
	evhttp_clear_headers(&said);
	return good;
}

char *route_question(const struct route *route, const char *query)
{
	json_t *o = json_pack("{s:s}", "verb", route->verb);
	char *line = NULL;

	if (route->keys == of_log)
		json_object_set_new(o, "last", json_integer(LOG_EVENTS));
	if (!route->keys || !query || add_query(o, route->keys, query))
		line = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return line;
}
