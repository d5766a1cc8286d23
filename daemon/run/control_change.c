/* The verbs that change something: superd, a service, who is there and who may come. */
#include "daemon/run/control_verbs.h"

#include "daemon/config/tune.h"
#include "daemon/model/quantity.h"
#include "daemon/run/bans.h"
#include "daemon/run/deadline.h"
#include "daemon/run/listener.h"
#include "daemon/run/reload.h"
#include "daemon/run/room.h"
#include "daemon/run/stop.h"
#include "daemon/run/units.h"
#include "daemon/run/upgrade.h"

#include <inttypes.h>

static void do_reload(const struct request *r)
{
	struct complaints complaints = { 0 };

	if (reload(r->d, &complaints))
		client_answer(r->client,
			json_pack("{s:I}", "generation", (json_int_t)r->d->config->generation));
	else
		client_refuse(r->client, &complaints, "nothing has changed");
	complaints_free(&complaints);
}

static void do_upgrade(const struct request *r)
{
	client_wait_upgraded(r->client);
	upgrade(r->d);
}

static void do_stop(const struct request *r)
{
	request_done(r);
	stop(r->d, NULL);
}

static void do_pause(const struct request *r)
{
	struct unit *u = request_want_listed(r);

	if (!u)
		return;
	if (u->state == UNIT_CLOSED) {
		client_refuse(r->client, NULL, "service '%s' is closed", u->service->name);
		return;
	}
	unit_pause(u);
	request_done(r);
}

static void change_listed(const struct request *r, void (*change)(struct unit *u))
{
	struct unit *u = request_want_listed(r);

	if (!u)
		return;
	change(u);
	request_done(r);
}

static void do_resume(const struct request *r)
{
	change_listed(r, unit_resume);
}

static void do_disable(const struct request *r)
{
	change_listed(r, unit_close);
}

static void do_enable(const struct request *r)
{
	struct unit *u = request_want_listed(r);

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

static void do_drain(const struct request *r)
{
	struct unit *u = request_want_unit(r);

	if (!u)
		return;
	if (u->state != UNIT_REMOVED)
		unit_close(u);
	client_wait_drained(r->client, u->service->name);
}

static bool tune(const struct request *r, struct unit *u, const char *key, const char *value)
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

static void do_set(const struct request *r)
{
	struct unit *u = request_want_listed(r);
	const char *key = u ? request_want_text(r, "key") : NULL;
	const char *value = key ? request_want_text(r, "value") : NULL;

	if (value && tune(r, u, key, value))
		request_done(r);
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

static bool want_target(const struct request *r, struct target *t)
{
	*t = (struct target){ .id = json_integer_value(json_object_get(r->in, "conn")) };
	if (t->id)
		return true;
	if (request_text(r, "service"))
		return (t->unit = request_want_unit(r));
	if (request_text(r, "source"))
		return request_want_prefix(r, "source", &t->source);
	client_refuse(r->client, NULL, "what is to be killed: conn, service or source?");
	return false;
}

static void do_kill(const struct request *r)
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

static void do_ban(const struct request *r)
{
	const char *span = request_text(r, "for"), *wrong;
	uint64_t for_ms = 3600000;
	struct acl_prefix who;

	if (!request_want_prefix(r, "source", &who))
		return;
	wrong = span ? quantity_duration(span, &for_ms) : NULL;
	if (!wrong && !for_ms)
		wrong = "is nothing";
	if (wrong) {
		client_refuse(r->client, NULL, "for: '%s' %s", span, wrong);
		return;
	}
	if (bans_add(r->d, &who, for_ms, NULL))
		request_done(r);
	else
		client_refuse(r->client, NULL, "the list of bans is full");
}

static void do_unban(const struct request *r)
{
	struct acl_prefix who;

	if (!request_want_prefix(r, "source", &who))
		return;
	if (bans_end(r->d, &who))
		request_done(r);
	else
		client_refuse(r->client, NULL, "there is no ban of exactly that");
}
const struct verb verbs_change[] = {
	{ "reload", do_reload },
	{ "upgrade", do_upgrade },
	{ "stop", do_stop },
	{ "pause", do_pause },
	{ "resume", do_resume },
	{ "enable", do_enable },
	{ "disable", do_disable },
	{ "drain", do_drain },
	{ "set", do_set },
	{ "kill", do_kill },
	{ "ban", do_ban },
	{ "unban", do_unban },
	{ 0 },
};
