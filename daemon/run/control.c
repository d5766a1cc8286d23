#include "daemon/run/control.h"

#include "daemon/run/control_client.h"

#include <stdlib.h>

struct control {
	struct doors doors;
	struct clients clients;
	struct events events;
};

static void come(void *context, enum role role, int fd)
{
	struct control *c = context;

	clients_come(&c->clients, role, fd);
}

static void listen_for_events(struct control *c)
{
	events_want(&c->events, doors_any(&c->doors) || !TAILQ_EMPTY(&c->clients.all));
}

struct control *control_new(struct daemon *d)
{
	struct control *c = mem_new(sizeof *c);

	c->doors = (struct doors){ .d = d, .come = come, .context = c };
	events_init(&c->events);
	clients_init(&c->clients, d, &c->events);
	return c;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	events_want(&c->events, false);
	clients_fini(&c->clients);
	doors_close(&c->doors);
	events_fini(&c->events);
	free(c);
}

bool control_prepare(struct control *c, const struct config *config, struct complaints *complaints)
{
	return doors_prepare(&c->doors, config, complaints);
}

void control_commit(struct control *c)
{
	doors_commit(&c->doors);
	listen_for_events(c);
}

void control_abandon(struct control *c)
{
	doors_abandon(&c->doors);
}

void control_check(struct control *c)
{
	clients_check(&c->clients);
	listen_for_events(c);
}

void control_upgraded(struct control *c, const char *why)
{
	clients_upgraded(&c->clients, why);
}

json_t *control_save(const struct control *c, struct inheritance *in)
{
	return json_pack("{s:o,s:o}", "doors", doors_save(&c->doors, in), "clients",
		clients_save(&c->clients, in));
}

void control_restore(struct control *c, const json_t *saved)
{
	doors_restore(&c->doors, json_object_get(saved, "doors"));
	clients_restore(&c->clients, json_object_get(saved, "clients"));
}
