#include "daemon/os/sock.h"

#include "daemon/base/fd.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value);
}

/* A host without IPv6 serves "7000" on IPv4 alone. */
static void to_ipv4_any(struct addr *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = a->in6.sin6_port };

	a->in = in;
	a->len = sizeof in;
	a->dual = false;
}

/* A peer that is gone without a word is noticed after two minutes of silence, or after
 * `user_timeout` if there is something to send to it (H46).  Accepted sockets inherit these. */
static int set_keepalive(int fd, const struct service *s)
{
	if (set(fd, SOL_SOCKET, SO_KEEPALIVE, s->socket.keepalive) < 0)
		return -1;
	if (s->socket.keepalive && (set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60) < 0 ||
					   set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15) < 0 ||
					   set(fd, IPPROTO_TCP, TCP_KEEPCNT, 4) < 0))
		return -1;
	return set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)s->socket.user_timeout_ms);
}

static int set_bandwidth(int fd, uint64_t bytes_a_second)
{
	uint64_t rate = bytes_a_second ? bytes_a_second : UINT64_MAX;

	return setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof rate);
}

/* Those that an open socket takes as well, in both directions: a reload may take one back. */
static int set_options(int fd, const struct addr *a, const struct service *s, const char **call)
{
	*call = "setsockopt";
	if (a->kind == ADDR_UNIX)
		return 0;
	if (set_keepalive(fd, s) < 0 || set_bandwidth(fd, s->socket.bandwidth) < 0 ||
		set(fd, IPPROTO_TCP, TCP_NODELAY, s->socket.nodelay) < 0)
		return -1;
	return 0;
}

/* Those that say what bind(2) means. */
static int set_bind_options(
	int fd, const struct addr *a, const struct service *s, const char **call)
{
	*call = "setsockopt";
	if (a->kind == ADDR_UNIX)
		return 0;
	if (set(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0)
		return -1;
	if (a->sa.sa_family == AF_INET6 && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !a->dual) < 0)
		return -1;
	if (s->socket.freebind && set(fd, IPPROTO_IP, IP_FREEBIND, 1) < 0)
		return -1;
	return 0;
}

/* A file that nobody answers on is left over from a crash; one that answers is somebody's. */
static bool is_stale(const struct addr *a)
{
	struct stat st;
	bool stale;
	int fd;

	if (lstat(a->un.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	stale = connect(fd, &a->sa, a->len) < 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int bind_path(int fd, const struct addr *a, const struct service *s, struct sock_path *path)
{
	mode_t old;
	struct stat st;
	int r;

	if (is_stale(a))
		unlink(a->un.sun_path);
	/* The file is born with its mode: no moment in which others may connect. */
	old = umask(~s->socket.mode & 0777);
	r = bind(fd, &a->sa, a->len);
	umask(old);
	if (r < 0 || lstat(a->un.sun_path, &st) < 0)
		return -1;
	path->dev = st.st_dev;
	path->ino = st.st_ino;
	if (s->socket.owner_set && lchown(a->un.sun_path, s->socket.uid, s->socket.gid) < 0)
		return -1;
	return 0;
}

static int open_socket(struct addr *a)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 && errno == EAFNOSUPPORT && a->dual) {
		to_ipv4_any(a);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	return fd_high(fd);
}

static int bind_and_listen(int fd, const struct addr *a, const struct service *s,
	struct sock_path *path, const char **call)
{
	if (set_bind_options(fd, a, s, call) < 0 || set_options(fd, a, s, call) < 0)
		return -1;
	*call = "bind";
	if (a->kind == ADDR_UNIX && a->un.sun_path[0]) {
		if (bind_path(fd, a, s, path) < 0)
			return -1;
	} else if (bind(fd, &a->sa, a->len) < 0) {
		return -1;
	}
	*call = "listen";
	return listen(fd, s->socket.backlog);
}

int sock_listen(const struct addr *a, const struct service *s, struct addr *bound,
	struct sock_path *path, const char **call)
{
	int fd;

	*bound = *a;
	*path = (struct sock_path){ 0 };
	*call = "socket";
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
	if (a->kind == ADDR_TCP) {
		bound->len = sizeof bound->in6;
		getsockname(fd, &bound->sa, &bound->len);
	}
	return fd;
}

static bool path_is_ours(const struct addr *a, const struct sock_path *path)
{
	struct stat st;

	return a->kind == ADDR_UNIX && a->un.sun_path[0] && path->ino &&
	       lstat(a->un.sun_path, &st) == 0 && st.st_dev == path->dev && st.st_ino == path->ino;
}

int sock_adjust(int fd, const struct addr *a, const struct sock_path *path, const struct service *s,
	const char **call)
{
	if (set_options(fd, a, s, call) < 0)
		return -1;
	*call = "listen";
	if (listen(fd, s->socket.backlog) < 0)
		return -1;
	if (!path_is_ours(a, path))
		return 0;
	*call = "chown";
	if (s->socket.owner_set && lchown(a->un.sun_path, s->socket.uid, s->socket.gid) < 0)
		return -1;
	*call = "chmod";
	return chmod(a->un.sun_path, s->socket.mode);
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
