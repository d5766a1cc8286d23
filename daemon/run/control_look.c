/* The verbs that look at superd, and change nothing. */
#include "daemon/run/control_verbs.h"

#include "daemon/run/control.h"
#include "daemon/run/control_view.h"

#include <string.h>

static void do_version(const struct request *r)
{
	json_t *o = view_daemon(r->d);

	json_object_set_new(o, "protocol", json_integer(CONTROL_PROTOCOL));
	client_answer(r->client, o);
}

static void do_list(const struct request *r)
{
	json_t *list = json_array();
	const struct unit *u;

	TAILQ_FOREACH (u, &r->d->units, all)
		json_array_append_new(list, view_service(u, false));
	client_answer(r->client, json_pack("{s:o,s:o,s:o}", "daemon", view_daemon(r->d),
					 "bounds_us", view_bounds(), "services", list));
}

static void do_show(const struct request *r)
{
	const struct unit *u = request_want_unit(r);

	if (u)
		client_answer(r->client, json_pack("{s:o,s:o}", "bounds_us", view_bounds(),
						 "service", view_service(u, true)));
}

static void do_ps(const struct request *r)
{
	const struct unit *u = NULL;

	if (request_text(r, "service") && !(u = request_want_unit(r)))
		return;
	client_answer(r->client, json_pack("{s:o}", "connections", view_connections(r->d, u)));
}

static void do_bans(const struct request *r)
{
	client_answer(r->client, json_pack("{s:o}", "bans", view_bans(r->d)));
}

static void do_explain(const struct request *r)
{
	json_t *list;
	struct acl_prefix who;
	struct unit *u = NULL, *each;

	if (!request_want_prefix(r, "address", &who))
		return;
	if (request_text(r, "service") && !(u = request_want_unit(r)))
		return;
	list = json_array();
	TAILQ_FOREACH (each, &r->d->units, all)
		if (!u || each == u)
			json_array_append_new(list, view_explain(each, &who.key));
	client_answer(r->client, json_pack("{s:o}", "services", list));
}

static void do_log(const struct request *r)
{
	static const char *const levels[] = { "error", "notice", "info", "tour" };
	const char *level = request_text(r, "level");
	json_int_t last = json_integer_value(json_object_get(r->in, "last"));
	size_t n = LOG_NOTICE;

	if (level) {
		for (n = 0; n < 4 && strcmp(level, levels[n]) != 0;)
			n++;
		if (n == 4) {
			client_refuse(r->client, NULL, "level: '%s' is none", level);
			return;
		}
	}
	client_answer(r->client, json_object());
	client_log(r->client, (enum log_level)n, last < 0 ? 0 : (size_t)last,
		json_is_true(json_object_get(r->in, "follow")));
}
const struct verb verbs_look[] = {
	{ "version", do_version },
	{ "list", do_list },
	{ "show", do_show },
	{ "ps", do_ps },
	{ "bans", do_bans },
	{ "explain", do_explain },
	{ "log", do_log },
	{ 0 },
};
