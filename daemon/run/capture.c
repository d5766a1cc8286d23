#include "daemon/run/capture.h"

#include "daemon/base/fd.h"
#include "daemon/run/launch.h"
#include "daemon/run/reserve.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 2048 /* a longer line is logged in pieces */
#define READ_BYTES 4096 /* a wake-up; a chatty handler must not starve the others */
#define LAST_READS 16   /* READ_BYTES each: what a full pipe holds */

struct capture {
	struct daemon *daemon;
	TAILQ_ENTRY(capture) all;
	struct event event;    /* once its handler is not young any more */
	int read_fd, write_fd; /* write_fd: until the connection takes it */
	struct config *config; /* a reference, for the name */
	const char *service;
	uint64_t conn;
	pid_t pid;
	bool orphan; /* its connection is closed: it frees itself */
	size_t len;  /* of `part`, a line whose end has not come yet */
	char *part;  /* owned; NULL until one is needed */
};

int capture_prepare(struct daemon *d)
{
	struct capture *c;
	int ends[2];

	if (d->spare_capture)
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	c = mem_new(sizeof *c);
	c->daemon = d;
	/* Where few are open the children copy them all, and the number does not matter yet. */
	c->read_fd = launch_many_files(d) ? fd_high(ends[0]) : ends[0];
	c->write_fd = ends[1];
	TAILQ_INSERT_TAIL(&d->captures, c, all);
	d->spare_capture = c;
	return 0;
}

struct capture *capture_take(struct daemon *d, const struct conn *conn, int *write_fd)
{
	struct capture *c = d->spare_capture;

	d->spare_capture = NULL;
	c->config = config_ref(conn->config);
	c->service = conn->service->name;
	c->conn = conn->id;
	*write_fd = c->write_fd;
	c->write_fd = -1;
	return c;
}

static void unlist(struct capture *c)
{
	struct daemon *d = c->daemon;

	TAILQ_REMOVE(c->orphan ? &d->orphans : &d->captures, c, all);
	d->orphans_count -= c->orphan;
}

static void capture_free(struct capture *c)
{
	unlist(c);
	if (c->event.ev_base)
		event_del(&c->event);
	fd_close(&c->read_fd);
	fd_close(&c->write_fd);
	config_unref(c->config);
	free(c->part);
	free(c);
}

static void tell(const struct capture *c, const char *line, size_t len)
{
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "stderr");
	log_str(&l, "service", c->service);
	log_num(&l, "conn", (int64_t)c->conn);
	log_num(&l, "pid", c->pid);
	log_bytes(&l, "line", line, len);
	log_end(&l);
}

static void tell_part(struct capture *c)
{
	if (c->len)
		tell(c, c->part, c->len);
	c->len = 0;
}

static void keep_part(struct capture *c, const char *bytes, size_t n)
{
	if (!c->part)
		c->part = mem_new(LINE_BYTES);
	while (n) {
		size_t room = LINE_BYTES - c->len, take = n < room ? n : room;

		memcpy(c->part + c->len, bytes, take);
		c->len += take;
		bytes += take;
		n -= take;
		if (c->len == LINE_BYTES)
			tell_part(c);
	}
}

static void split_lines(struct capture *c, const char *bytes, size_t n)
{
	const char *end;

	while (n && (end = memchr(bytes, '\n', n))) {
		size_t len = (size_t)(end - bytes);

		if (c->len || len > LINE_BYTES) {
			keep_part(c, bytes, len);
			tell_part(c);
		} else {
			tell(c, bytes, len);
		}
		bytes += len + 1;
		n -= len + 1;
	}
	if (n)
		keep_part(c, bytes, n);
}

enum got { GOT_SOME, GOT_NOTHING, GOT_END };

/* Both ends block, for the handler's sake; so we look first.  Nobody else reads, so what is there
 * stays there. */
static enum got read_some(struct capture *c)
{
	struct pollfd p = { .fd = c->read_fd, .events = POLLIN };
	char bytes[READ_BYTES];
	ssize_t n;

	if (poll(&p, 1, 0) <= 0)
		return GOT_NOTHING;
	if (!(p.revents & POLLIN))
		return GOT_END;
	n = read(c->read_fd, bytes, sizeof bytes);
	if (n <= 0)
		return GOT_END;
	split_lines(c, bytes, (size_t)n);
	return GOT_SOME;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct capture *c = arg;

	(void)fd;
	(void)what;
	start_after_wait(c->daemon->starter);
	if (read_some(c) == GOT_END) {
		tell_part(c);
		event_del(&c->event);
		if (c->orphan)
			capture_free(c);
	}
}

void capture_watch(struct capture *c)
{
	/* It may stay for long, and the low numbers are for what is on its way.  (Low ones that
	 * stay made every later connection a high one: 6,000 idle clients, a sixth of the speed.)
	 */
	c->read_fd = fd_high(c->read_fd);
	event_assign(&c->event, c->daemon->base, c->read_fd, EV_READ | EV_PERSIST, on_readable, c);
	/* If it cannot be polled, its lines come when the handler exits. */
	event_add(&c->event, NULL);
}

void capture_begin(struct capture *c, pid_t pid)
{
	c->pid = pid;
}

/* Its handler has exited, but somebody holds the other end.  That takes a descriptor, and not even
 * a process, so there is an end to it (H3): whoever writes to the oldest finds it closed. */
static void be_orphan(struct capture *c)
{
	struct daemon *d = c->daemon;
	struct capture *oldest = TAILQ_FIRST(&d->orphans);

	if (d->orphans_count >= reserve_share(d) && oldest) {
		tell_part(oldest);
		capture_free(oldest);
	}
	unlist(c);
	c->orphan = true;
	TAILQ_INSERT_TAIL(&d->orphans, c, all);
	d->orphans_count++;
}

void capture_end(struct capture *c)
{
	enum got got = GOT_SOME;

	for (int i = 0; i < LAST_READS && got == GOT_SOME; i++)
		got = read_some(c);
	if (got != GOT_END) {
		be_orphan(c);
		if (!c->event.ev_base)
			capture_watch(c);
		return;
	}
	tell_part(c);
	capture_free(c);
}

static void each_in(const struct captures *list,
	void (*each)(const struct capture_view *v, void *context), void *context)
{
	const struct capture *c;

	TAILQ_FOREACH (c, list, all) {
		const struct capture_view v = { c->service, c->conn, c->pid, c->read_fd, c->orphan,
			c->part, c->len };

		if (c != c->daemon->spare_capture)
			each(&v, context);
	}
}

void captures_each(const struct daemon *d,
	void (*each)(const struct capture_view *v, void *context), void *context)
{
	each_in(&d->captures, each, context);
	each_in(&d->orphans, each, context);
}

struct capture *capture_restore(
	struct daemon *d, struct config *config, const struct capture_view *v)
{
	struct capture *c = mem_new(sizeof *c);

	c->daemon = d;
	c->config = config_ref(config);
	c->service = v->service;
	c->conn = v->conn;
	c->pid = v->pid;
	c->read_fd = v->fd;
	c->write_fd = -1;
	if (v->len && v->len < LINE_BYTES)
		keep_part(c, v->part, v->len);
	TAILQ_INSERT_TAIL(&d->captures, c, all);
	if (v->orphan)
		be_orphan(c);
	capture_watch(c);
	return c;
}

static void free_in(struct captures *list)
{
	struct capture *c;

	while ((c = TAILQ_FIRST(list))) {
		for (int i = 0; i < LAST_READS && read_some(c) == GOT_SOME; i++)
			;
		tell_part(c);
		capture_free(c);
	}
}

void captures_free(struct daemon *d)
{
	free_in(&d->captures);
	free_in(&d->orphans);
	d->spare_capture = NULL;
}
