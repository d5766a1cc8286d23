#include "daemon/run/control_request.h"

#include "daemon/run/units.h"

const char *request_text(const struct request *r, const char *key)
{
	return json_string_value(json_object_get(r->in, key));
}

const char *request_want_text(const struct request *r, const char *key)
{
	const char *text = request_text(r, key);

	if (!text)
		client_refuse(r->client, NULL, "%s: is missing", key);
	return text;
}

struct unit *request_want_unit(const struct request *r)
{
	const char *name = request_want_text(r, "service");
	struct unit *u = name ? unit_find(r->d, name) : NULL;

	if (name && !u)
		client_refuse(r->client, NULL, "there is no service '%s'", name);
	return u;
}

struct unit *request_want_listed(const struct request *r)
{
	struct unit *u = request_want_unit(r);

	if (!u || u->state != UNIT_REMOVED)
		return u;
	client_refuse(r->client, NULL, "service '%s' is no longer configured", u->service->name);
	return NULL;
}

bool request_want_prefix(const struct request *r, const char *key, struct acl_prefix *out)
{
	const char *text = request_want_text(r, key), *wrong = text ? acl_parse(text, out) : NULL;

	if (wrong)
		client_refuse(r->client, NULL, "%s: '%s' %s", key, text, wrong);
	return text && !wrong;
}

void request_done(const struct request *r)
{
	client_answer(r->client, json_object());
}
