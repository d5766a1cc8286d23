#include "daemon/run/control_verbs.h"

#include <string.h>

static const struct verb *find(const struct verb *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
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
		log_str(&l, keys[i], request_text(r, keys[i]));
	client_tell(r->client, &l);
	log_end(&l);
}

void control_do(struct client *k, const json_t *request)
{
	struct request r = { k, client_daemon(k), request };
	const char *name = request_text(&r, "verb");
	const struct verb *look = name ? find(verbs_look, name) : NULL;
	const struct verb *change = name ? find(verbs_change, name) : NULL;

	if (!name) {
		client_refuse(k, NULL, "verb: is missing");
	} else if (look) {
		look->run(&r);
	} else if (!change) {
		client_refuse(k, NULL, "verb: there is no '%s'", name);
	} else if (!client_may_change(k)) {
		client_refuse(
			k, NULL, "%s: through this socket superd can only be looked at", name);
	} else {
		tell(&r, name);
		change->run(&r);
	}
}
