#include "daemon/run/control_doors.h"

#include "daemon/base/fd.h"
#include "daemon/run/daemon.h"
#include "daemon/run/handover_values.h"
#include "daemon/run/poll.h"
#include "daemon/run/reserve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_MS 200 /* where no descriptor is left for a client */

/* ---- who comes */

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct door *door = arg;

	(void)fd;
	(void)what;
	event_add(door->event, NULL);
}

/* No spinning over a client that cannot be taken (H3). */
static void pause_door(struct door *door)
{
	event_del(door->event);
	poll_after(&door->pause, door->doors->d->base, PAUSE_MS, on_pause_over, door);
}

static int accept_client(struct door *door)
{
	struct addr who = { .len = sizeof who.un };
	int fd = accept4(door->fd, &who.sa, &who.len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 || errno != EMFILE || !reserve_release(door->doors->d))
		return fd;
	who.len = sizeof who.un;
	return accept4(door->fd, &who.sa, &who.len, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void on_client(evutil_socket_t listener, short what, void *arg)
{
	struct door *door = arg;
	struct doors *doors = door->doors;
	int fd;

	(void)listener;
	(void)what;
	start_after_wait(doors->d->starter);
	fd = accept_client(door);
	if (fd >= 0)
		doors->come(doors->context, door->role, fd);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
		pause_door(door);
}

/* ---- one of them */

static void door_close(struct door *door)
{
	if (!door->name)
		return;
	poll_forget(&door->event);
	poll_forget(&door->pause);
	sock_unlink(&door->addr, &door->path);
	fd_close(&door->fd);
	free(door->name);
	door->name = NULL;
}

static struct addr unix_address(const char *path)
{
	struct addr a = { .kind = ADDR_UNIX, .un.sun_family = AF_UNIX };

	memcpy(a.un.sun_path, path, strlen(path) + 1);
	a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
	return a;
}

static bool door_open(struct door *door, const char *name, const struct service *options,
	struct complaints *complaints)
{
	struct addr wanted = unix_address(name);
	const char *call;

	door->fd = sock_listen(&wanted, options, &door->addr, &door->path, &call);
	if (door->fd < 0) {
		complain(complaints, door->role == CONTROL ? "control" : "observe", 0, 0,
			"%s: %s: %s", name, call, strerror(errno));
		return false;
	}
	door->name = mem_dup(name);
	return true;
}

/* ---- what a configuration wants */

static const char *wanted_name(const struct daemon *d, const struct config *config, enum role role)
{
	const char *given = d->options->control;

	if (role == OBSERVE)
		return config->observe;
	return given ? given : config->control;
}

static struct service socket_options(const struct config *config, enum role role)
{
	struct service s = { .socket = { .backlog = 16, .mode = 0600 } };

	if (role == OBSERVE) {
		s.socket.mode = config->observe_mode;
		s.socket.owner_set = config->observe_gid != (gid_t)-1;
		s.socket.uid = (uid_t)-1;
		s.socket.gid = config->observe_gid;
	}
	return s;
}

static bool same_name(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool prepare(struct doors *doors, const struct config *config, enum role role,
	struct complaints *complaints)
{
	const char *name = wanted_name(doors->d, config, role), *call;
	struct service options = socket_options(config, role);
	struct door *now = &doors->now[role], *next = &doors->next[role];

	*next = (struct door){
		.doors = doors, .role = role, .fd = -1, .keep = same_name(now->name, name)
	};
	if (!name)
		return true;
	if (!next->keep)
		return door_open(next, name, &options, complaints);
	if (sock_adjust(now->fd, &now->addr, &now->path, &options, &call) == 0)
		return true;
	complain(complaints, name, 0, 0, "%s: %s", call, strerror(errno));
	return false;
}

bool doors_prepare(struct doors *doors, const struct config *config, struct complaints *complaints)
{
	bool good = true;

	for (enum role role = 0; role < ROLES; role++)
		good = prepare(doors, config, role, complaints) && good;
	if (!good)
		doors_abandon(doors);
	return good;
}

void doors_commit(struct doors *doors)
{
	for (enum role role = 0; role < ROLES; role++) {
		struct door *door = &doors->now[role];

		if (doors->next[role].keep)
			continue;
		door_close(door);
		*door = doors->next[role];
		if (door->name)
			poll_read(&door->event, doors->d->base, door->fd, on_client, door);
	}
}

void doors_abandon(struct doors *doors)
{
	for (enum role role = 0; role < ROLES; role++) {
		door_close(&doors->next[role]);
		doors->next[role].keep = true;
	}
}

void doors_close(struct doors *doors)
{
	for (enum role role = 0; role < ROLES; role++)
		door_close(&doors->now[role]);
}

bool doors_any(const struct doors *doors)
{
	return doors->now[CONTROL].name || doors->now[OBSERVE].name;
}

/* ---- upgrade */

static json_t *save_door(const struct door *door, struct inheritance *in)
{
	return json_pack("{s:i,s:s,s:o,s:I,s:I}", "role", (int)door->role, "name", door->name, "fd",
		value_of_fd(door->fd, in), "dev", (json_int_t)door->path.dev, "ino",
		(json_int_t)door->path.ino);
}

json_t *doors_save(const struct doors *doors, struct inheritance *in)
{
	json_t *list = json_array();

	for (enum role role = 0; role < ROLES; role++)
		if (doors->now[role].name)
			json_array_append_new(list, save_door(&doors->now[role], in));
	return list;
}

static void restore_door(struct doors *doors, const json_t *o)
{
	enum role role = (enum role)value_number(o, "role");
	struct door *door = &doors->now[role];

	door->doors = doors;
	door->role = role;
	door->name = mem_dup(value_text(o, "name"));
	door->fd = value_fd(o, "fd");
	door->addr = unix_address(door->name);
	door->path.dev = (dev_t)value_number(o, "dev");
	door->path.ino = (ino_t)value_number(o, "ino");
	poll_read(&door->event, doors->d->base, door->fd, on_client, door);
}

void doors_restore(struct doors *doors, const json_t *saved)
{
	const json_t *o;
	size_t i;

	json_array_foreach (saved, i, o)
		restore_door(doors, o);
}
