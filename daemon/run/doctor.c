#include "daemon/run/doctor.h"

#include "daemon/os/executable.h"
#include "daemon/os/sock.h"
#include "daemon/os/tcpinfo.h"
#include "daemon/os/trial.h"
#include "daemon/run/visit.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOLD_EACH 3 /* of a service's addresses, those in trouble that are told one by one */

/* ---- programs */

static const char *user_of(const struct service *s)
{
	return s->identity.set ? s->identity.user : "superd's own user";
}

static const char *remedy_of(const char *call)
{
	if (strcmp(call, "access") == 0)
		return "give that user the permission to execute it and to pass every folder on "
		       "the "
		       "way (chmod, setfacl, namei -l), or name another user";
	if (strcmp(call, "chdir") == 0)
		return "give that user the permission to enter it, or name another directory";
	return "run superd as root, or take away what only root can do";
}

static void check_program(struct visit *v, const struct service *s)
{
	char why[512];
	const char *call, *wrong;
	bool there;
	int error;

	if (s->trap_ms)
		return;
	wrong = executable_wrong(s->chroot, s->program, &there, why, sizeof why);
	if (wrong) {
		visit_problem(v, s, "install what is missing, or mend the program", "%s %s",
			s->program, wrong);
		return;
	}
	error = trial_run(s, &call);
	if (error)
		visit_problem(v, s, remedy_of(call), "%s cannot start %s: %s: %s", user_of(s),
			s->program, call, strerror(error));
}

/* Whoever can write the program can do what its user can. */
static void check_writers(struct visit *v, const struct service *s)
{
	struct stat st;

	if (s->trap_ms || s->chroot || stat(s->program, &st) < 0)
		return;
	if (st.st_mode & S_IWOTH)
		visit_problem(v, s, "chmod o-w", "%s can be written by everybody", s->program);
	else if (s->identity.set && s->identity.uid && st.st_uid == s->identity.uid &&
		 st.st_mode & S_IWUSR)
		visit_doubt(v, s,
			"chown root, so that a handler that is taken over cannot change it",
			"%s belongs to the user that runs it", s->program);
}

static bool is_open_to_all(const struct service *s)
{
	for (size_t i = 0; i < s->listen_count; i++) {
		const struct addr *a = &s->listen[i];

		if (a->dual ||
			(a->sa.sa_family == AF_INET && a->in.sin_addr.s_addr == INADDR_ANY) ||
			(a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr)))
			return true;
	}
	return false;
}

static void check_exposure(struct visit *v, const struct service *s)
{
	bool root = s->identity.set ? s->identity.uid == 0 : geteuid() == 0;

	if (root && !s->trap_ms && !s->access.acl && is_open_to_all(s))
		visit_doubt(v, s, "name another user, or say with allow who may connect",
			"runs as root, and everybody can connect");
}

/* ---- addresses */

static const char *remedy_of_bind(int error, const struct service *s)
{
	switch (error) {
	case EACCES:
		return "run superd as root or with CAP_NET_BIND_SERVICE, or lower "
		       "net.ipv4.ip_unprivileged_port_start";
	case EADDRNOTAVAIL:
		return s->socket.freebind
			       ? "check the address"
			       : "check the address, or say \"freebind\": true if it comes "
				 "later";
	case ENOENT:
		return "make the folder that the socket shall be in";
	case EADDRINUSE:
		return "stop whoever has it, or listen elsewhere";
	}
	return "superd will try again and again, and serve the others meanwhile";
}

static void tell_taken(struct visit *v, const struct service *s, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	struct holder h;

	addr_format(a, text);
	trial_holder(a, &h);
	if (!h.pid)
		visit_problem(v, s, remedy_of_bind(EADDRINUSE, s),
			"%s is taken, by a process that cannot "
			"be seen",
			text);
	else if (strcmp(h.name, "superd") == 0)
		visit_doubt(v, s, "all is well if that one serves this file: superctl reload",
			"%s is taken by another superd, process %d", text, (int)h.pid);
	else
		visit_problem(v, s, remedy_of_bind(EADDRINUSE, s), "%s is taken by process %d (%s)",
			text, (int)h.pid, h.name);
}

/* True if there was nothing to tell. */
static bool check_address(struct visit *v, const struct service *s, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	struct sock_path path;
	struct addr bound;
	const char *call;
	int fd;

	if (a->handed || a->kind == ADDR_FD)
		return true; /* it is somebody else's to open */
	fd = sock_listen(a, s, &bound, &path, &call);
	if (fd >= 0) {
		sock_unlink(&bound, &path);
		close(fd);
		return true;
	}
	if (errno == EADDRINUSE)
		tell_taken(v, s, a);
	else
		visit_problem(v, s, remedy_of_bind(errno, s), "%s: %s: %s", addr_format(a, text),
			call, strerror(errno));
	return false;
}

static void check_addresses(struct visit *v, const struct service *s)
{
	size_t told = 0;

	for (size_t i = 0; i < s->listen_count && told < TOLD_EACH; i++)
		told += !check_address(v, s, &s->listen[i]);
}

static void check_backlog(struct visit *v, const struct service *s)
{
	uint64_t most = visit_number_in("/proc/sys/net/core/somaxconn");

	if (most != UINT64_MAX && s->socket.backlog > (int64_t)most)
		visit_doubt(v, s, "sysctl net.core.somaxconn",
			"backlog: %d is more than the kernel's %" PRIu64, s->socket.backlog, most);
}

/* ---- the kernel, and the places of files */

static void check_idle(struct visit *v, const struct service *s)
{
	int fd;

	if (!s->idle_timeout_ms)
		return;
	fd = tcpinfo_open();
	if (fd < 0)
		visit_problem(v, s, "load the module inet_diag, or take idle_timeout away",
			"idle_timeout: the kernel does not tell of connections: %s",
			strerror(errno));
	else
		close(fd);
}

static void check_kernel(struct visit *v)
{
	if (geteuid() == 0 && visit_number_in("/proc/sys/fs/suid_dumpable") == 1)
		visit_doubt(v, NULL, "sysctl fs.suid_dumpable=0 (or 2)",
			"fs.suid_dumpable is 1: superd must copy its memory for each handler, "
			"which "
			"is slower");
}

static void check_folder(struct visit *v, const char *key, const char *path)
{
	char *copy = path ? strdup(path) : NULL;
	const char *folder = copy ? dirname(copy) : NULL;

	if (folder && access(folder, W_OK | X_OK) < 0)
		visit_problem(v, NULL, "make the folder, and let superd write there", "%s: %s: %s",
			key, folder, strerror(errno));
	free(copy);
}

static void check_files(struct visit *v)
{
	const struct config *c = v->config;
	struct stat st;

	check_folder(v, "log", c->log.path);
	check_folder(v, "control", v->control ? v->control : c->control);
	check_folder(v, "observe", c->observe);
	if (c->log.target == LOG_SYSLOG && access("/dev/log", W_OK) < 0)
		visit_problem(v, NULL, "start a syslog daemon, or name another target",
			"log: /dev/log: %s", strerror(errno));
	if (c->path && stat(c->path, &st) == 0 && st.st_mode & (S_IWOTH | S_IWGRP) && !geteuid())
		visit_problem(v, NULL, "chmod go-w",
			"%s: others than root can write it, and superd runs "
			"what it says as root",
			c->path);
}

/* ---- all */

static void check_service(struct visit *v, const struct service *s)
{
	static void (*const checks[])(struct visit *, const struct service *) = {
		check_program,
		check_writers,
		check_exposure,
		check_addresses,
		check_backlog,
		visit_room_of,
		check_idle,
	};

	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
		checks[i](v, s);
}

size_t doctor(const struct config *config, const char *control, FILE *out)
{
	struct visit v = { .config = config, .control = control, .out = out };
	size_t enabled = 0;

	for (size_t i = 0; i < config->services_count; i++)
		if (config->services[i].enabled) {
			check_service(&v, &config->services[i]);
			enabled++;
		}
	visit_room(&v);
	check_kernel(&v);
	check_files(&v);
	fprintf(out, "services looked at: %zu, problems: %zu, doubts: %zu\n", enabled, v.problems,
		v.doubts);
	return v.problems;
}
