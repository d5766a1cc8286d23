#include "daemon/os/sock.h"

#include "daemon/base/fd.h"
#include "daemon/os/handed.h"
#include "daemon/os/sockopt.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A host without IPv6 serves "7000" on IPv4 alone. */
static void to_ipv4_any(struct addr *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = a->in6.sin6_port };

	a->in = in;
	a->len = sizeof in;
	a->dual = false;
}

/* A file that nobody answers on is left over from a crash; one that answers is somebody's. */
static bool is_stale(const struct addr *a)
{
	struct stat st;
	bool stale;
	int fd;

	if (lstat(a->un.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, addr_socket_type(a) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	/* One of another kind would say EPROTOTYPE, and is somebody's. */
	stale = connect(fd, &a->sa, a->len) < 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

/* The file as it is now: no name is looked up twice, whatever the folder's owner puts into its
 * place meanwhile.  And nobody gets another's socket by a second link to it. */
static int open_path(const struct addr *a, struct stat *st)
{
	int file = open(a->un.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (file < 0)
		return -1;
	if (fstat(file, st) == 0 && S_ISSOCK(st->st_mode) && st->st_nlink == 1)
		return file;
	close(file);
	errno = EEXIST;
	return -1;
}

static int set_owner(int file, const struct service *s)
{
	if (!s->socket.owner_set)
		return 0;
	return fchownat(file, "", s->socket.uid, s->socket.gid, AT_EMPTY_PATH);
}

/* fchmod(2) does not take a descriptor of this kind. */
static int set_mode(int file, const struct stat *st, mode_t mode)
{
	char name[32];

	if ((st->st_mode & 07777) == mode)
		return 0;
	snprintf(name, sizeof name, "/proc/self/fd/%d", file);
	return chmod(name, mode);
}

static int bind_path(int fd, const struct addr *a, const struct service *s, struct sock_path *path)
{
	mode_t old;
	struct stat st;
	int r, file;

	if (is_stale(a))
		unlink(a->un.sun_path);
	/* The file is born with its mode: no moment in which others may connect. */
	old = umask(~s->socket.mode & 0777);
	r = bind(fd, &a->sa, a->len);
	umask(old);
	if (r < 0)
		return -1;
	file = open_path(a, &st);
	if (file < 0)
		return -1;
	path->dev = st.st_dev;
	path->ino = st.st_ino;
	r = set_owner(file, s);
	fd_close(&file);
	return r;
}

static int open_socket(struct addr *a)
{
	int type = addr_socket_type(a) | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int fd = socket(a->sa.sa_family, type, 0);

	if (fd < 0 && errno == EAFNOSUPPORT && a->dual) {
		to_ipv4_any(a);
		fd = socket(AF_INET, type, 0);
	}
	return fd_settle(fd);
}

static int bind_and_listen(int fd, const struct addr *a, const struct service *s,
	struct sock_path *path, const char **call)
{
	*call = "setsockopt";
	if (sockopt_before_bind(fd, a, s) < 0 || sockopt_any_time(fd, a, s) < 0)
		return -1;
	*call = "bind";
	if (addr_is_path(a)) {
		if (bind_path(fd, a, s, path) < 0)
			return -1;
	} else if (bind(fd, &a->sa, a->len) < 0) {
		return -1;
	}
	*call = "setsockopt";
	if (sockopt_after_bind(fd, a, s) < 0)
		return -1;
	*call = "listen";
	return addr_is_datagram(a) ? 0 : listen(fd, s->socket.backlog);
}

/* An address of the link is one on an interface. */
static void set_scope(struct addr *a, const struct service *s)
{
	if (a->sa.sa_family == AF_INET6 && s->socket.device &&
		(IN6_IS_ADDR_LINKLOCAL(&a->in6.sin6_addr) ||
			IN6_IS_ADDR_MC_LINKLOCAL(&a->in6.sin6_addr)))
		a->in6.sin6_scope_id = if_nametoindex(s->socket.device);
}

/* The parent bound it and said how many may wait; what else a service says holds for it, too. */
static int use_handed(const struct addr *a, const struct service *s, const char **call)
{
	int fd = fd_settle(fcntl(handed_at(a->handed - 1)->fd, F_DUPFD_CLOEXEC, 0));

	*call = "dup";
	if (fd < 0)
		return -1;
	*call = "setsockopt";
	if (sockopt_any_time(fd, a, s) < 0 ||
		(!addr_is_multicast(a) && sockopt_after_bind(fd, a, s) < 0))
		fd_close(&fd);
	return fd;
}

int sock_listen(const struct addr *a, const struct service *s, struct addr *bound,
	struct sock_path *path, const char **call)
{
	int fd;

	*bound = *a;
	*path = (struct sock_path){ 0 };
	if (a->handed)
		return use_handed(a, s, call);
	*call = "socket";
	set_scope(bound, s);
	fd = open_socket(bound);
	if (fd < 0)
		return -1;
	if (bind_and_listen(fd, bound, s, path, call) < 0) {
		if (bound->dual && errno == EADDRNOTAVAIL) {
			/* IPv6 is compiled in and disabled (sysctl disable_ipv6). */
			struct addr v4 = *a;

			close(fd);
			to_ipv4_any(&v4);
			return sock_listen(&v4, s, bound, path, call);
		}
		sock_unlink(bound, path);
		fd_close(&fd);
		return -1;
	}
	if (!addr_is_unix(a)) {
		bound->len = sizeof bound->un;
		getsockname(fd, &bound->sa, &bound->len);
	}
	return fd;
}

static bool path_is_ours(const struct addr *a, const struct sock_path *path)
{
	struct stat st;

	return addr_is_path(a) && path->ino && lstat(a->un.sun_path, &st) == 0 &&
	       st.st_dev == path->dev && st.st_ino == path->ino;
}

static int adjust_path(const struct addr *a, const struct sock_path *path, const struct service *s,
	const char **call)
{
	struct stat st;
	int file = open_path(a, &st), r = 0;

	*call = "open";
	if (file < 0)
		return errno == ENOENT || errno == EEXIST ? 0 : -1; /* it is not ours any more */
	if (st.st_dev == path->dev && st.st_ino == path->ino) {
		*call = "chown";
		r = set_owner(file, s);
		if (r == 0) {
			*call = "chmod";
			r = set_mode(file, &st, s->socket.mode);
		}
	}
	fd_close(&file);
	return r;
}

int sock_adjust(int fd, const struct addr *a, const struct sock_path *path, const struct service *s,
	const char **call)
{
	*call = "setsockopt";
	if (sockopt_any_time(fd, a, s) < 0)
		return -1;
	if (!addr_is_multicast(a) && sockopt_after_bind(fd, a, s) < 0)
		return -1;
	*call = "listen";
	if (!addr_is_datagram(a) && !a->handed && listen(fd, s->socket.backlog) < 0)
		return -1;
	return path->ino ? adjust_path(a, path, s, call) : 0;
}

void sock_unlink(const struct addr *a, const struct sock_path *path)
{
	int saved = errno;

	if (path_is_ours(a, path))
		unlink(a->un.sun_path);
	errno = saved;
}

bool sock_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid)
{
	struct ucred c;
	socklen_t len = sizeof c;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) < 0)
		return false;
	*pid = c.pid;
	*uid = c.uid;
	*gid = c.gid;
	return true;
}
