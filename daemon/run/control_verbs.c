#include "daemon/run/control_verbs.h"

#include "daemon/base/clock.h"
#include "daemon/config/tune.h"
#include "daemon/model/quantity.h"
#include "daemon/run/bans.h"
#include "daemon/run/control.h"
#include "daemon/run/control_view.h"
#include "daemon/run/deadline.h"
#include "daemon/run/listener.h"
#include "daemon/run/reload.h"
#include "daemon/run/room.h"
#include "daemon/run/stop.h"
#include "daemon/run/units.h"
#include "daemon/run/upgrade.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct request {
	struct client *client;
	struct daemon *d;
	json_t *in;
};

struct verb {
	const char *name;
	bool changes; /* not through the socket of observers */
	void (*run)(struct request *r);
};

/* ---- what a request says */

/* NULL where it says nothing; anything but a text is nothing. */
static const char *text_of(const struct request *r, const char *key)
{
	return json_string_value(json_object_get(r->in, key));
}

/* NULL with the answer given. */
static const char *want_text(struct request *r, const char *key)
{
	const char *text = text_of(r, key);

	if (!text)
		client_refuse(r->client, NULL, "%s: is missing", key);
	return text;
}

static struct unit *want_unit(struct request *r)
{
	const char *name = want_text(r, "service");
	struct unit *u = name ? unit_find(r->d, name) : NULL;

	if (name && !u)
		client_refuse(r->client, NULL, "there is no service '%s'", name);
	return u;
}

/* One that can be opened and closed. */
static struct unit *want_listed(struct request *r)
{
	struct unit *u = want_unit(r);

	if (!u || u->state != UNIT_REMOVED)
		return u;
	client_refuse(r->client, NULL, "service '%s' is no longer configured", u->service->name);
	return NULL;
}

/* An address or a prefix; with bits of its own beyond it cut off. */
static bool want_prefix(struct request *r, const char *key, struct acl_prefix *out)
{
	const char *text = want_text(r, key), *wrong = text ? acl_parse(text, out) : NULL;

	if (wrong)
		client_refuse(r->client, NULL, "%s: '%s' %s", key, text, wrong);
	return text && !wrong;
}

static void done(struct request *r)
{
	client_answer(r->client, json_object());
}

/* ---- looking */

static void do_version(struct request *r)
{
	json_t *o = view_daemon(r->d);

	json_object_set_new(o, "protocol", json_integer(CONTROL_PROTOCOL));
	client_answer(r->client, o);
}

static void do_list(struct request *r)
{
	json_t *list = json_array();
	const struct unit *u;

	TAILQ_FOREACH (u, &r->d->units, all)
		json_array_append_new(list, view_service(u, false));
	client_answer(r->client, json_pack("{s:o,s:o,s:o}", "daemon", view_daemon(r->d),
					 "bounds_us", view_bounds(), "services", list));
}

static void do_show(struct request *r)
{
	const struct unit *u = want_unit(r);

	if (u)
		client_answer(r->client, json_pack("{s:o,s:o}", "bounds_us", view_bounds(),
						 "service", view_service(u, true)));
}

static void do_ps(struct request *r)
{
	const struct unit *u = NULL;

	if (text_of(r, "service") && !(u = want_unit(r)))
		return;
	client_answer(r->client, json_pack("{s:o}", "connections", view_connections(r->d, u)));
}

static void do_bans(struct request *r)
{
	client_answer(r->client, json_pack("{s:o}", "bans", view_bans(r->d)));
}

static void do_explain(struct request *r)
{
	json_t *list;
	struct acl_prefix who;
	struct unit *u = NULL, *each;

	if (!want_prefix(r, "address", &who))
		return;
	if (text_of(r, "service") && !(u = want_unit(r)))
		return;
	list = json_array();
	TAILQ_FOREACH (each, &r->d->units, all)
		if (!u || each == u)
			json_array_append_new(list, view_explain(each, &who.key));
	client_answer(r->client, json_pack("{s:o}", "services", list));
}

static void do_log(struct request *r)
{
	static const char *const levels[] = { "error", "notice", "info", "tour" };
	const char *level = text_of(r, "level");
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

/* ---- changing */

static void do_reload(struct request *r)
{
	struct complaints complaints = { 0 };

	if (reload(r->d, &complaints))
		client_answer(r->client,
			json_pack("{s:I}", "generation", (json_int_t)r->d->config->generation));
	else
		client_refuse(r->client, &complaints, "nothing has changed");
	complaints_free(&complaints);
}

static void do_upgrade(struct request *r)
{
	client_wait_upgraded(r->client);
	upgrade(r->d);
}

static void do_stop(struct request *r)
{
	done(r);
	stop(r->d, NULL);
}

static void do_pause(struct request *r)
{
	struct unit *u = want_listed(r);

	if (!u)
		return;
	if (u->state == UNIT_CLOSED) {
		client_refuse(r->client, NULL, "service '%s' is closed", u->service->name);
		return;
	}
	unit_pause(u);
	done(r);
}

static void do_resume(struct request *r)
{
	struct unit *u = want_listed(r);

	if (!u)
		return;
	unit_resume(u);
	done(r);
}

static void do_disable(struct request *r)
{
	struct unit *u = want_listed(r);

	if (!u)
		return;
	unit_close(u);
	done(r);
}

static void do_enable(struct request *r)
{
	struct unit *u = want_listed(r);

	if (!u)
		return;
	/* What a service that is not enabled names need not be there. */
	if (!u->service->enabled) {
		client_refuse(r->client, NULL,
			"service '%s' is not enabled in the configuration; edit the file and "
			"reload",
			u->service->name);
		return;
	}
	client_answer(r->client, json_pack("{s:I}", "missing", (json_int_t)unit_open(u)));
}

static void do_drain(struct request *r)
{
	struct unit *u = want_unit(r);

	if (!u)
		return;
	if (u->state != UNIT_REMOVED)
		unit_close(u);
	client_wait_drained(r->client, u->service->name);
}

static bool tune(struct request *r, struct unit *u, const char *key, const char *value)
{
	struct complaints complaints = { 0 };
	struct daemon *d = r->d;
	struct config *before = d->config, *config;
	struct unit *each;

	config = config_tune(
		before, (size_t)(u->service - before->services), key, value, &complaints);
	if (!config)
		client_refuse(r->client, &complaints, "nothing has changed");
	complaints_free(&complaints);
	if (!config)
		return false;
	d->config = config;
	TAILQ_FOREACH (each, &d->units, all)
		if (each->config == before)
			unit_tune(
				each, config, &config->services[each->service - before->services]);
	config_unref(before);
	room_recheck(d);
	return true;
}

static void do_set(struct request *r)
{
	struct unit *u = want_listed(r);
	const char *key = u ? want_text(r, "key") : NULL;
	const char *value = key ? want_text(r, "value") : NULL;

	if (value && tune(r, u, key, value))
		done(r);
}

/* Which of the live connections are meant. */
struct target {
	json_int_t id;           /* 0: not by number */
	const struct unit *unit; /* NULL: not by service */
	struct acl_prefix source;
};

static bool is_from(const struct conn *c, const struct acl_prefix *p)
{
	struct acl_prefix own;
	struct acl_key key;

	if (!acl_key_of(&c->ends.remote, &key)) {
		if (!c->ends.credentials)
			return false; /* it serves many */
		key = acl_key_of_id(ACL_UID, c->ends.uid);
	}
	own = acl_source(&key, p->bits, p->bits);
	return acl_same(&own.key, &p->key);
}

static bool is_meant(const struct conn *c, const struct target *t)
{
	if (t->id)
		return c->id == (uint64_t)t->id;
	if (t->unit)
		return c->unit == t->unit;
	return is_from(c, &t->source);
}

static bool want_target(struct request *r, struct target *t)
{
	*t = (struct target){ .id = json_integer_value(json_object_get(r->in, "conn")) };
	if (t->id)
		return true;
	if (text_of(r, "service"))
		return (t->unit = want_unit(r));
	if (text_of(r, "source"))
		return want_prefix(r, "source", &t->source);
	client_refuse(r->client, NULL, "what is to be killed: conn, service or source?");
	return false;
}

static void do_kill(struct request *r)
{
	struct target t;
	struct conn *c;
	json_int_t killed = 0;

	if (!want_target(r, &t))
		return;
	for (c = r->d->conns; c; c = c->hh.next)
		if (is_meant(c, &t)) {
			deadline_end(c);
			killed++;
		}
	if (!killed && t.id)
		client_refuse(
			r->client, NULL, "there is no live connection %" PRId64, (int64_t)t.id);
	else
		client_answer(r->client, json_pack("{s:I}", "killed", killed));
}

static void do_ban(struct request *r)
{
	const char *span = text_of(r, "for"), *wrong;
	uint64_t for_ms = 3600000;
	struct acl_prefix who;

	if (!want_prefix(r, "source", &who))
		return;
	wrong = span ? quantity_duration(span, &for_ms) : NULL;
	if (!wrong && !for_ms)
		wrong = "is nothing";
	if (wrong) {
		client_refuse(r->client, NULL, "for: '%s' %s", span, wrong);
		return;
	}
	if (bans_add(r->d, &who, for_ms, NULL))
		done(r);
	else
		client_refuse(r->client, NULL, "the list of bans is full");
}

static void do_unban(struct request *r)
{
	struct acl_prefix who;

	if (!want_prefix(r, "source", &who))
		return;
	if (bans_end(r->d, &who))
		done(r);
	else
		client_refuse(r->client, NULL, "there is no ban of exactly that");
}

/* ---- all */

static const struct verb verbs[] = {
	{ "version", false, do_version },
	{ "list", false, do_list },
	{ "show", false, do_show },
	{ "ps", false, do_ps },
	{ "bans", false, do_bans },
	{ "explain", false, do_explain },
	{ "log", false, do_log },
	{ "reload", true, do_reload },
	{ "upgrade", true, do_upgrade },
	{ "stop", true, do_stop },
	{ "pause", true, do_pause },
	{ "resume", true, do_resume },
	{ "enable", true, do_enable },
	{ "disable", true, do_disable },
	{ "drain", true, do_drain },
	{ "set", true, do_set },
	{ "kill", true, do_kill },
	{ "ban", true, do_ban },
	{ "unban", true, do_unban },
};

static const struct verb *find(const char *name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* Who changed something stands in the log. */
static void tell(const struct request *r, const char *verb)
{
	static const char *const keys[] = { "service", "source", "key", "value" };
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "control");
	log_str(&l, "verb", verb);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		log_str(&l, keys[i], text_of(r, keys[i]));
	client_tell(r->client, &l);
	log_end(&l);
}

void control_do(struct client *k, json_t *request)
{
	struct request r = { k, client_daemon(k), request };
	const char *name = text_of(&r, "verb");
	const struct verb *v = name ? find(name) : NULL;

	if (!name) {
		client_refuse(k, NULL, "verb: is missing");
	} else if (!v) {
		client_refuse(k, NULL, "verb: there is no '%s'", name);
	} else if (v->changes && !client_may_change(k)) {
		client_refuse(
			k, NULL, "%s: through this socket superd can only be looked at", name);
	} else {
		if (v->changes)
			tell(&r, name);
		v->run(&r);
	}
}
