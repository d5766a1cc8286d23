/*
 * static ROOT: serves the files below a folder over HTTP/1, GET and HEAD.
 *
 * One process a connection, as many requests as the client keeps it for.  The parts that decide are
 * pure and live in common/: the head in http, the name in path, conditions and ranges in cond; that
 * nothing outside ROOT is opened is beneath's and so the kernel's work.  What is refused: listings
 * of folders, hidden names, anything that is not a regular file, bodies of requests.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "handlers/common/beneath.h"
#include "handlers/common/cond.h"
#include "handlers/common/conn.h"
#include "handlers/common/date.h"
#include "handlers/common/io.h"
#include "handlers/common/linger.h"
#include "handlers/common/mime.h"
#include "handlers/common/path.h"
#include "handlers/common/reply.h"

#ifndef SUPERD_DATA_DIR
#define SUPERD_DATA_DIR "/usr/local/share/superd"
#endif

static const char index_name[] = "index.html";

enum {
	REQUESTS_MAX = 100, /* so that a connection ends some day */
	SLICE = 1 << 20,    /* of a file at once: the send timeout is counted for each */
	PATIENCE_MAX_S = 86400,
};

static struct site {
	int root;
	const char *types;
	struct conn conn;
	struct http_request request;
	struct reply reply;
	char name[PATH_MAX];
} site;

/* An answer without a file; 0, or -1 when it could not be sent. */
static int refuse(struct site *s, int status)
{
	reply_begin(&s->reply, 1, &s->request, status);
	if (status == 405)
		reply_field(&s->reply, "Allow", "GET, HEAD");
	return reply_page(&s->reply);
}

static int redirect_to_folder(struct site *s)
{
	static char location[3 * PATH_MAX];
	struct http_text query = s->request.query;
	size_t len = path_encode(location, sizeof(location), s->name);

	if (len == 0 || len + query.len > HTTP_LINE_MAX - 16)
		return refuse(s, 414);
	reply_begin(&s->reply, 1, &s->request, 301);
	reply_field(&s->reply, "Location", "/%s/%s%.*s", location, query.at ? "?" : "",
		(int)query.len, query.at ? query.at : "");
	return reply_page(&s->reply);
}

static int status_of_error(const char *name)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return 404;
	case EACCES:
	case EPERM:
	case EXDEV: /* leads out of the root */
	case ELOOP: /* in a circle, or by a magic link */
	case ENXIO: /* a socket, or a device without a driver */
	case ENODEV:
		return 403;
	}
	fprintf(stderr, "static: %s: %s\n", name, strerror(errno));
	return 500;
}

/* Opens what the request names: 200, with *fd and *st; 301 for a folder; or why not.  *fd may be
 * open in any case. */
static int open_file(struct site *s, int *fd, struct stat *st)
{
	size_t len = strlen(s->name);
	bool folder = len == 0 || s->name[len - 1] == '/';

	if (folder) {
		if (len + sizeof(index_name) > sizeof(s->name))
			return 414;
		strcpy(s->name + len, index_name);
	}
	*fd = beneath_open(s->root, s->name);
	if (*fd < 0 && folder && errno == ENOENT) {
		/* A folder without an index is there, but not to be listed. */
		s->name[len] = '\0';
		return beneath_has_folder(s->root, s->name) ? 403 : status_of_error(s->name);
	}
	if (*fd < 0 || fstat(*fd, st) < 0)
		return status_of_error(s->name);
	if (S_ISDIR(st->st_mode) && !folder)
		return 301;
	return S_ISREG(st->st_mode) ? 200 : 403;
}

/* The file has shrunk since its length was promised: the answer has to end short, visibly. */
static int fail_short(void)
{
	errno = ENODATA;
	return -1;
}

/* Where out is none that sendfile(2) can write to (a file opened to append, say). */
static int copy_body(int out, int file, off_t at, uint64_t len)
{
	char buf[16384];

	while (len > 0) {
		ssize_t n = pread(file, buf, len < sizeof(buf) ? (size_t)len : sizeof(buf), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return fail_short();
		if (n < 0 || io_write_all(out, buf, (size_t)n) < 0)
			return -1;
		at += n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int send_body(int out, int file, off_t at, uint64_t len)
{
	while (len > 0) {
		ssize_t n = sendfile(out, file, &at, len < SLICE ? (size_t)len : SLICE);

		if (n < 0 && (errno == EINVAL || errno == ENOSYS))
			return copy_body(out, file, at, len);
		if (n < 0 && !io_may_retry(out))
			return -1;
		if (n == 0)
			return fail_short();
		if (n > 0)
			len -= (uint64_t)n;
	}
	return 0;
}

static int refuse_range(struct site *s, uint64_t size)
{
	reply_begin(&s->reply, 1, &s->request, 416);
	reply_field(&s->reply, "Content-Range", "bytes */%" PRIu64, size);
	return reply_page(&s->reply);
}

static void describe_file(struct site *s, int status, const struct cond_state *file)
{
	time_t now = time(NULL);
	char date[DATE_SIZE];

	/* RFC 9110 forbids a date in the future.  Compared is the true one: it never seems old. */
	date_format(date, file->changed < now ? file->changed : now);
	reply_begin(&s->reply, 1, &s->request, status);
	reply_field(&s->reply, "ETag", "%s", file->etag);
	reply_field(&s->reply, "Last-Modified", "%s", date);
}

static void describe_body(
	struct site *s, const struct cond_state *file, uint64_t first, uint64_t len)
{
	char type[MIME_SIZE];

	mime_lookup(type, s->types, s->name);
	reply_field(&s->reply, "Content-Type", "%s", type);
	reply_field(&s->reply, "Content-Length", "%" PRIu64, len);
	reply_field(&s->reply, "Accept-Ranges", "bytes");
	reply_field(&s->reply, "X-Content-Type-Options", "nosniff");
	if (s->reply.status == 206)
		reply_field(&s->reply, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
			first, first + len - 1, file->size);
}

static int send_file(struct site *s, int fd, const struct stat *st)
{
	char etag[64];
	struct cond_state file = { etag, st->st_mtime, (uint64_t)st->st_size };
	uint64_t first = 0, len = 0;
	int status;

	snprintf(etag, sizeof(etag), "\"%llx.%lx-%llx\"", (unsigned long long)st->st_mtim.tv_sec,
		(unsigned long)st->st_mtim.tv_nsec, (unsigned long long)st->st_size);
	status = cond_check(&s->request, &file);
	if (status == 200)
		status = cond_range(&s->request, &file, &first, &len);
	if (status == 412)
		return refuse(s, 412);
	if (status == 416)
		return refuse_range(s, file.size);
	describe_file(s, status, &file);
	if (status == 304)
		return reply_head(&s->reply, false);
	describe_body(s, &file, first, len);
	if (reply_head(&s->reply, len > 0) < 0)
		return -1;
	return s->reply.without_body ? 0 : send_body(1, fd, (off_t)first, len);
}

/* One request that has been read; status: what conn thinks of it.  0, or -1 with errno. */
static int answer(struct site *s, int status)
{
	struct stat st = { 0 };
	int fd = -1, result;

	if (status == 0 && s->request.method == HTTP_UNKNOWN)
		status = 501;
	else if (status == 0 && s->request.method == HTTP_KNOWN)
		status = 405;
	if (status == 0)
		status = path_decode(s->name, sizeof(s->name), s->request.path);
	if (status == 0)
		status = open_file(s, &fd, &st);
	if (status == 200)
		result = send_file(s, fd, &st);
	else if (status == 301)
		result = redirect_to_folder(s);
	else
		result = refuse(s, status);
	if (fd >= 0)
		close(fd);
	return result;
}

static int serve(struct site *s)
{
	for (int n = 1;; n++) {
		int status = conn_read_head(&s->conn, &s->request);

		if (status < 0)
			return 0;
		if (n == REQUESTS_MAX)
			s->request.keep_alive = false;
		if (answer(s, status) < 0)
			return io_farewell("static");
		if (!s->reply.keep_alive)
			break;
		conn_next(&s->conn, &s->request);
	}
	linger_close(0, 1);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: static [-T SECONDS] [-t TYPES] ROOT\n");
	return 100;
}

int main(int argc, char *argv[])
{
	unsigned long patience = CONN_PATIENCE_MS / 1000;
	char *end;
	int opt;

	site.types = SUPERD_DATA_DIR "/mime.types";
	while ((opt = getopt(argc, argv, "T:t:")) != -1) {
		if (opt == 't') {
			site.types = optarg;
		} else if (opt == 'T') {
			patience = strtoul(optarg, &end, 10);
			if (*end || end == optarg || patience < 1 || patience > PATIENCE_MAX_S)
				return usage();
		} else {
			return usage();
		}
	}
	if (argc - optind != 1)
		return usage();
	site.root = beneath_root(argv[optind]);
	if (site.root < 0) {
		fprintf(stderr, "static: %s: %s\n", argv[optind],
			errno == ENOSYS
				? "this kernel has no openat2(2), which keeps requests inside "
				  "the root; not serving without it"
				: strerror(errno));
		return 111;
	}
	signal(SIGPIPE, SIG_IGN);
	conn_init(&site.conn, 0, 1, patience * 1000);
	return serve(&site);
}
