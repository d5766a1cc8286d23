#include "daemon/config/build.h"

#include "daemon/base/mem.h"
#include "daemon/config/access.h"
#include "daemon/config/admission.h"
#include "daemon/config/command.h"
#include "daemon/config/environ.h"
#include "daemon/config/identity.h"
#include "daemon/config/mode.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct place *place_of_value(const struct draft *d, const char *key)
{
	return &d->places[schema_find(schema_service, key) - schema_service];
}

bool draft_has(const struct draft *d, const char *key)
{
	return place_of_value(d, key)->file;
}

void draft_complain(
	struct loader *l, const struct draft *d, const char *key, const char *format, ...)
{
	const struct place *at = place_of_value(d, key);
	va_list ap;

	va_start(ap, format);
	loader_complain_list(l, at->file ? at : &d->name, key, format, ap);
	va_end(ap);
}

/* ---- where it is run ---- */

char *draft_inside(const struct draft *d, const char *key, const char *path)
{
	if (path[0] == '/')
		return mem_dup(path);
	if (!d->s.chroot)
		return file_path(place_of_value(d, key)->file, path);
	while (path[0] == '.' && path[1] == '/')
		path += 2;
	return mem_print("/%s", strcmp(path, ".") ? path : "");
}

static void check_folder(struct loader *l, const struct draft *d, const char *key, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		draft_complain(l, d, key, "'%s': %s", path,
			errno == ENOENT ? "there is no such directory" : strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		draft_complain(l, d, key, "'%s' is not a directory", path);
}

static void build_folders(struct loader *l, struct draft *d)
{
	char *path;

	if (!*d->directory) {
		draft_complain(l, d, "directory", "the path is empty");
		return;
	}
	path = draft_inside(d, "directory", d->directory);
	d->s.directory = loader_text(l, path);
	free(path);
	if (!d->s.enabled)
		return;
	if (!d->s.chroot)
		check_folder(l, d, "directory", d->s.directory);
	else if (geteuid() != 0)
		draft_complain(l, d, "chroot", "only root can do this");
	else
		check_folder(l, d, "chroot", d->s.chroot);
}

/* ---- what superd may do ---- */

static void check_nice(struct loader *l, const struct draft *d)
{
	struct rlimit own = { 0, 0 };

	if (d->s.nice >= 0 || geteuid() == 0)
		return;
	getrlimit(RLIMIT_NICE, &own);
	if (own.rlim_cur == RLIM_INFINITY || 20 - d->s.nice <= (long)own.rlim_cur)
		return;
	draft_complain(l, d, "nice", "only root can go below 0");
}

/* No process, not even root's, may have more descriptors than this. */
static rlim_t most_descriptors(struct loader *l)
{
	unsigned long long n;
	FILE *f;

	if (l->nr_open)
		return l->nr_open;
	l->nr_open = RLIM_INFINITY;
	f = fopen("/proc/sys/fs/nr_open", "re");
	if (f && fscanf(f, "%llu", &n) == 1 && n > 0)
		l->nr_open = n;
	if (f)
		fclose(f);
	return l->nr_open;
}

bool build_may(int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &header, data) < 0)
		return geteuid() == 0;
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

static const char *limit_name(int resource)
{
	const struct key *k = schema_rlimits;

	while (k->name && k->offset != (size_t)resource)
		k++;
	return k->name ? k->name : "?";
}

static void check_limits(struct loader *l, const struct draft *d)
{
	for (size_t i = 0; i < d->s.limits_count; i++) {
		const struct limit *limit = &d->s.limits[i];
		struct rlimit own;

		if (limit->resource == RLIMIT_NOFILE && limit->value.rlim_max > most_descriptors(l))
			draft_complain(l, d, "rlimits",
				"nofile: no process may have more than %llu (fs.nr_open)",
				(unsigned long long)most_descriptors(l));
		else if (!build_may(CAP_SYS_RESOURCE) &&
			 getrlimit((__rlimit_resource_t)limit->resource, &own) == 0 &&
			 limit->value.rlim_max > own.rlim_max)
			draft_complain(l, d, "rlimits",
				"%s: superd may not go above its own hard limit, %llu",
				limit_name(limit->resource), (unsigned long long)own.rlim_max);
	}
}

/* ---- all of it ---- */

static void check_listen(struct loader *l, struct draft *d)
{
	bool unix_socket = false;

	if (!draft_has(d, "listen")) {
		draft_complain(l, d, "listen", "is missing; it says where the service is found");
		return;
	}
	for (size_t i = 0; i < d->s.listen_count; i++)
		unix_socket |= addr_is_path(&d->s.listen[i]) || d->s.listen[i].kind == ADDR_FD;
	if (!unix_socket && d->s.socket.owner_set && d->s.listen_count)
		draft_complain(l, d, d->socket_user ? "socket_user" : "socket_group",
			"only a unix socket with a path has an owner");
}

void build_service(struct loader *l, struct draft *d)
{
	identity_build(l, d);
	check_listen(l, d);
	command_build(l, d);
	build_folders(l, d);
	environ_build(l, d);
	mode_build(l, d);
	admission_build(l, d);
	access_build(l, d);
	d->s.stderr_to = d->stderr_sink.path ? STDERR_FILE : (enum stderr_to)d->stderr_sink.word;
	d->s.stderr_path = d->stderr_sink.path;
	if (!d->s.enabled)
		return;
	check_nice(l, d);
	check_limits(l, d);
}
