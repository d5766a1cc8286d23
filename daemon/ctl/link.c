#include "daemon/ctl/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EXIT_GONE 111

static const char gone[] = "it closed the connection";
static void (*before_exit)(void);

void link_before_exit(void (*call)(void))
{
	before_exit = call;
}

static void give_up(const char *path, const char *why)
{
	if (before_exit)
		before_exit();
	fprintf(stderr, "superctl: %s: %s\n", path, why);
	exit(EXIT_GONE);
}

void link_open(struct link *l, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof a.sun_path)
		give_up(path, "the path is too long");
	memcpy(a.sun_path, path, strlen(path) + 1);
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&a, sizeof a) < 0)
		give_up(path, errno == ENOENT || errno == ECONNREFUSED
				      ? "no superd answers there; -s names another socket"
				      : strerror(errno));
	l->in = fdopen(l->fd, "r");
	if (!l->in)
		give_up(path, strerror(errno));
}

void link_close(struct link *l)
{
	fclose(l->in);
	l->fd = -1;
}

json_t *link_next(struct link *l)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n = getline(&line, &room, l->in);
	json_t *value = n > 0 ? json_loadb(line, (size_t)n, 0, NULL) : NULL;

	free(line);
	return value;
}

static void send_all(struct link *l, const char *text, size_t n)
{
	while (n) {
		ssize_t sent = send(l->fd, text, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			give_up("superd", gone);
		text += sent;
		n -= (size_t)sent;
	}
}

json_t *link_ask(struct link *l, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	json_t *answer;

	if (!text)
		give_up("superctl", "this is no UTF-8");
	send_all(l, text, strlen(text));
	send_all(l, "\n", 1);
	free(text);
	json_decref(request);
	answer = link_next(l);
	if (!answer)
		give_up("superd", gone);
	return answer;
}
