#include "daemon/os/caps.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(n) (UINT64_C(1) << (n))
#define PRIVILEGED_PORTS 1024

/* ---- what is called for */

static uint64_t of_address(const struct addr *a, const struct service *s)
{
	if (a->handed)
		return 0;
	if (addr_is_unix(a))
		return addr_is_path(a)
			       ? BIT(CAP_DAC_OVERRIDE) |
					 (s->socket.owner_set ? BIT(CAP_CHOWN) | BIT(CAP_FOWNER)
							      : 0)
			       : 0;
	return addr_port(a) && addr_port(a) < PRIVILEGED_PORTS ? BIT(CAP_NET_BIND_SERVICE) : 0;
}

static uint64_t of_identity(const struct service *s)
{
	if (s->trap_ms)
		return 0;
	if (!s->identity.set || s->identity.uid == 0)
		return CAPS_ALL;
	/* KILL: to end a handler that is, or has become, somebody else. */
	return BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_KILL);
}

static uint64_t of_service(const struct service *s)
{
	uint64_t set = 0;

	if (s->chroot)
		set |= BIT(CAP_SYS_CHROOT);
	if (s->nice < 0)
		set |= BIT(CAP_SYS_NICE);
	if (s->limits_count)
		set |= BIT(CAP_SYS_RESOURCE);
	if (s->stderr_to == STDERR_FILE)
		set |= BIT(CAP_DAC_OVERRIDE);
	/* To pass datagrams on with their senders' addresses; to leave an interface for another. */
	if ((s->datagrams && !s->wait) || s->socket.device)
		set |= BIT(CAP_NET_RAW);
	for (size_t i = 0; i < s->listen_count; i++)
		set |= of_address(&s->listen[i], s);
	return set;
}

uint64_t caps_of_file(const char *path)
{
	const char *end = path ? strrchr(path, '/') : NULL;
	char folder[PATH_MAX];
	struct stat st;

	if (!end)
		return 0;
	snprintf(folder, sizeof folder, "%.*s", end == path ? 1 : (int)(end - path), path);
	if (stat(folder, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & S_IWUSR))
		return 0;
	return BIT(CAP_DAC_OVERRIDE);
}

uint64_t caps_needed(const struct config *config, bool root)
{
	/* To read its files again, whoever owns them. */
	uint64_t set = BIT(CAP_DAC_READ_SEARCH);

	for (size_t i = 0; i < config->services_count; i++) {
		const struct service *s = &config->services[i];

		if (s->enabled)
			set |= of_service(s) | (root ? of_identity(s) : 0);
	}
	if (config->observe && config->observe_gid != (gid_t)-1)
		set |= BIT(CAP_CHOWN) | BIT(CAP_FOWNER);
	if (config->log.path)
		set |= BIT(CAP_DAC_OVERRIDE);
	return set | caps_of_file(config->control) | caps_of_file(config->observe);
}

/* ---- what superd has */

static const struct __user_cap_header_struct own = { .version = _LINUX_CAPABILITY_VERSION_3 };

uint64_t caps_held(void)
{
	struct __user_cap_header_struct header = own;
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

static int set(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = own;
	const struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32),
			(uint32_t)(inheritable >> 32) },
	};

	return (int)syscall(SYS_capset, &header, data);
}

int caps_keep(uint64_t wanted)
{
	uint64_t kept = caps_held() & wanted;

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return set(kept, kept, 0);
}

void caps_carry(bool over_exec)
{
	uint64_t held = caps_held();

	if (!over_exec)
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	set(held, held, over_exec ? held : 0);
	for (unsigned n = 0; over_exec && n < 64; n++)
		if (held & BIT(n))
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, n, 0, 0);
}

const char *caps_name(uint64_t set_of_one)
{
	static const struct {
		unsigned n;
		const char *name;
	} names[] = {
		{ CAP_CHOWN, "CAP_CHOWN" },
		{ CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE" },
		{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH" },
		{ CAP_FOWNER, "CAP_FOWNER" },
		{ CAP_KILL, "CAP_KILL" },
		{ CAP_SETGID, "CAP_SETGID" },
		{ CAP_SETUID, "CAP_SETUID" },
		{ CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE" },
		{ CAP_NET_RAW, "CAP_NET_RAW" },
		{ CAP_SYS_CHROOT, "CAP_SYS_CHROOT" },
		{ CAP_SYS_NICE, "CAP_SYS_NICE" },
		{ CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE" },
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (set_of_one & BIT(names[i].n))
			return names[i].name;
	return "all capabilities";
}
