/* What a person may have meant by a key that is not one. */
#include "daemon/config/schema.h"

#include <string.h>

#define NAME_MAX_LEN 40 /* longer words are no typing errors of ours */

/* Words of inetd.conf and xinetd.conf, for those who come from there. */
static const struct {
	const char *word, *here;
} elsewhere[] = {
	{ "server", "here it is 'exec'" },
	{ "server_args", "here they stand in 'exec', behind the program" },
	{ "program", "here it is 'exec'" },
	{ "command", "here it is 'exec', or 'shell' for a line of sh" },
	{ "args", "here they stand in 'exec', behind the program" },
	{ "port", "here it is part of 'listen'" },
	{ "bind", "here it is part of 'listen', as in \"127.0.0.1:7000\"" },
	{ "interface", "here it is part of 'listen', as in \"127.0.0.1:7000\"" },
	{ "address", "here it is part of 'listen', as in \"127.0.0.1:7000\"" },
	{ "socket_type", "here 'listen' says it: PORT is a stream, udp:PORT datagrams" },
	{ "protocol", "here 'listen' says it: PORT is TCP, udp:PORT UDP, unix:PATH a unix socket" },
	{ "wait", "here it is 'mode', \"wait\" or \"nowait\"" },
	{ "disable", "here it is 'enabled', the other way round" },
	{ "umask_mode", "here it is 'umask'" },
	{ "rlimit_as", "here it is 'as' in 'rlimits'" },
	{ "rlimit_cpu", "here it is 'cpu' in 'rlimits'" },
	{ "rlimit_files", "here it is 'nofile' in 'rlimits'" },
	{ "rlimit_data", "here it is 'data' in 'rlimits'" },
	{ "rlimit_stack", "here it is 'stack' in 'rlimits'" },
	{ "passenv", "here it is 'pass_env'" },
	{ "environment", "here it is 'env'" },
	{ "includedir", "here it is 'include', as in [\"services.d/*.json\"]" },
	{ "log_type", "here it is 'log' at the top, for all services" },
	{ "log_on_success", "here it is 'log' at the top: {\"level\": \"info\"}" },
	{ "log_on_failure", "here it is 'log' at the top; failures are always logged" },
	{ "per_source", "here it is 'max_per_source'" },
	{ "only_from", "here it is 'allow'" },
	{ "no_access", "here it is 'deny'" },
	{ "cps", "here it is 'rate', as in \"25/s\"; it needs no time to be enabled again" },
	{ "deny_time", "here it is 'trap', in a service without a program" },
	{ "sensor", "here it is 'trap', in a service without a program" },
	{ "banner_fail", "here it is 'reject_message', a text" },
	{ "flags", "here they are keys, such as 'keepalive', 'nodelay', and 'trap' for SENSOR" },
};
#define WORDS (sizeof elsewhere / sizeof *elsewhere)

/* Letters to change, insert, delete or swap with a neighbour, from a to b. */
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][NAME_MAX_LEN + 1];
	unsigned *older = rows[0], *old = rows[1], *now = rows[2];
	size_t n = strlen(a), m = strlen(b);

	if (n > NAME_MAX_LEN || m > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (size_t j = 0; j <= m; j++)
		old[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *spare = older;

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned best = old[j - 1] + (a[i - 1] != b[j - 1]);

			if (old[j] + 1 < best)
				best = old[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				older[j - 2] + 1 < best)
				best = older[j - 2] + 1;
			now[j] = best;
		}
		older = old;
		old = now;
		now = spare;
	}
	return old[m];
}

static const char *nearest(const struct key *keys, const char *name)
{
	const char *found = NULL;
	unsigned limit = strlen(name) > 5 ? 3 : 2; /* short words are near to everything */

	for (; keys->name; keys++) {
		unsigned d = distance(name, keys->name);

		if (d < limit && d < strlen(keys->name)) {
			found = keys->name;
			limit = d;
		}
	}
	return found;
}

const char *schema_hint(const struct key *keys, const char *name, char out[160])
{
	const char *near;

	out[0] = '\0';
	for (size_t i = 0; (keys == schema_service || keys == schema_top) && i < WORDS; i++) {
		if (strcmp(elsewhere[i].word, name) == 0) {
			snprintf(out, 160, "; %s", elsewhere[i].here);
			return out;
		}
	}
	near = nearest(keys, name);
	if (near)
		snprintf(out, 160, "; did you mean '%s'?", near);
	else if (keys == schema_top && schema_find(schema_service, name))
		snprintf(out, 160, "; it belongs into a service, or into 'defaults'");
	else if (keys == schema_service && schema_find(schema_top, name))
		snprintf(out, 160, "; it belongs to the top level of the file");
	return out;
}
