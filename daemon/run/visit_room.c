#include "daemon/run/visit.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FDS_EACH 3 /* that a connection may take in superd: stderr, a copy, admission */
#define FDS_OWN 64 /* that superd takes for itself */

static uint64_t connections_of(const struct config *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < c->services_count; i++) {
		const struct service *s = &c->services[i];

		if (s->enabled)
			sum += s->max_connections + (s->reject_when_full ? 0 : s->queue);
	}
	return c->max_connections && c->max_connections < sum ? c->max_connections : sum;
}

static void check_descriptors(struct visit *v)
{
	uint64_t live = connections_of(v->config), wanted = FDS_OWN + FDS_EACH * live;
	struct rlimit own;

	for (size_t i = 0; i < v->config->services_count; i++)
		if (v->config->services[i].enabled)
			wanted += v->config->services[i].listen_count;
	getrlimit(RLIMIT_NOFILE, &own);
	if (own.rlim_max != RLIM_INFINITY && own.rlim_max < wanted)
		visit_doubt(v, NULL,
			"raise it (LimitNOFILE= of systemd, ulimit -Hn), or lower max_connections; "
			"until "
			"then clients wait when descriptors run out",
			"%" PRIu64 " connections at once may take %" PRIu64
			" descriptors; the hard limit is %" PRIu64,
			live, wanted, (uint64_t)own.rlim_max);
}

/* The file of a value in superd's own group, "" where it cannot be known. */
static void find_group_file(const char *name, char *out, size_t size)
{
	char line[512];
	FILE *f = fopen("/proc/self/cgroup", "re");

	*out = '\0';
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3) == 0)
			snprintf(out, size, "/sys/fs/cgroup%s/%s", line + 3, name);
	}
	if (f)
		fclose(f);
}

static void check_processes(struct visit *v)
{
	uint64_t live = connections_of(v->config),
		 pids = visit_number_in("/proc/sys/kernel/pid_max");
	char path[640];
	struct rlimit own;

	if (pids != UINT64_MAX && live >= pids)
		visit_doubt(v, NULL, "sysctl kernel.pid_max, or lower max_connections",
			"%" PRIu64 " connections at once are more than the processes there can be "
			"(%" PRIu64 ")",
			live, pids);
	find_group_file("pids.max", path, sizeof path);
	pids = *path ? visit_number_in(path) : UINT64_MAX;
	if (pids != UINT64_MAX && live >= pids)
		visit_doubt(v, NULL, "raise it (TasksMax= of systemd), or lower max_connections",
			"%" PRIu64 " connections at once are more than the control group may have "
			"processes (%" PRIu64 ")",
			live, pids);
	getrlimit(RLIMIT_NPROC, &own);
	if (geteuid() && own.rlim_cur != RLIM_INFINITY && live >= own.rlim_cur)
		visit_doubt(v, NULL,
			"raise it (LimitNPROC= of systemd, ulimit -u), or lower "
			"max_connections",
			"%" PRIu64
			" connections at once are more than this user may have processes "
			"(%" PRIu64 ")",
			live, (uint64_t)own.rlim_cur);
}

void visit_room_of(struct visit *v, const struct service *s)
{
	for (size_t i = 0; i < s->limits_count; i++)
		if (s->limits[i].resource == RLIMIT_NPROC &&
			(!s->max_connections || s->limits[i].value.rlim_cur < s->max_connections))
			visit_doubt(v, s,
				"the limit counts all processes of the user: raise it, or lower "
				"max_connections",
				"rlimits: nproc is %" PRIu64 ", and max_connections is %" PRIu32,
				(uint64_t)s->limits[i].value.rlim_cur, s->max_connections);
}

void visit_room(struct visit *v)
{
	check_descriptors(v);
	check_processes(v);
}
