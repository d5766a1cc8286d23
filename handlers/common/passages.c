#include "handlers/common/passages.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	RETRY_MIN_MS = 20, /* between two attempts to connect, at first */
	RETRY_MAX_MS = 500,
	DRAIN_MS = 2000, /* for a client that still sends after the server has closed */
};

static void list_add(struct passage_list *list, struct passage *p)
{
	p->next = NULL;
	p->prev = list->last;
	*(p->prev ? &p->prev->next : &list->first) = p;
	list->last = p;
}

static void list_remove(struct passage_list *list, struct passage *p)
{
	*(p->prev ? &p->prev->next : &list->first) = p->next;
	*(p->next ? &p->next->prev : &list->last) = p->prev;
}

static bool watch(struct passages *ps, struct passage *p, int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = p };

	/* A file, by hand: epoll says EPERM, and it is always ready. */
	return epoll_ctl(ps->epoll, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EPERM ||
	       errno == EEXIST;
}

/* Memory lasts until the batch of events is over: another may be about it. */
static void end(struct passages *ps, struct passage *p, bool failed)
{
	if (p->stage == PASSAGE_DEAD)
		return;
	if (failed) {
		relay_reset(p->in);
		if (p->server >= 0)
			relay_reset(p->server);
		ps->status = 1;
	}
	relay_close(&p->relay);
	close(p->in);
	if (p->out != p->in)
		close(p->out);
	if (p->server >= 0)
		close(p->server);
	ps->waiting -= p->stage == PASSAGE_WAITING || p->stage == PASSAGE_CONNECTING;
	ps->draining -= p->drained_at_ms != 0;
	ps->unfinished -= p->more;
	ps->count--;
	ps->idle_since_ms = ps->now_ms;
	p->stage = PASSAGE_DEAD;
	list_remove(&ps->all, p);
	list_add(&ps->dead, p);
}

static void pump(struct passages *ps, struct passage *p)
{
	enum relay_state state = relay_pump(&p->relay);
	int error = errno;

	ps->unfinished -= p->more;
	p->more = state == RELAY_MORE;
	ps->unfinished += p->more;
	p->active_ms = ps->now_ms;
	if (state == RELAY_FAILED) {
		if (p->relay.server_failed)
			complain(&ps->complaint, ps->now_ms, "%s: %s", ps->target.text,
				strerror(error));
		end(ps, p, true);
		/* A client that leaves is no failure of ours. */
		if (!p->relay.server_failed)
			ps->status = 0;
	} else if (state == RELAY_DONE) {
		end(ps, p, false);
	} else if (relay_drains(&p->relay) && p->drained_at_ms == 0) {
		p->drained_at_ms = ps->now_ms + DRAIN_MS;
		ps->draining++;
	}
}

void passage_fail(struct passages *ps, struct passage *p, int error)
{
	complain(&ps->complaint, ps->now_ms, "%s: %s", ps->target.text, strerror(error));
	end(ps, p, true);
}

static void start(struct passages *ps, struct passage *p)
{
	ps->answers = true;
	ps->waiting--;
	p->stage = PASSAGE_RELAYING;
	target_tune(p->server);
	target_tune(p->in);
	relay_connect(&p->relay, p->in, p->out, p->server);
	pump(ps, p);
}

/* Every address has refused.  What our own program will answer soon is worth another try, and so
 * is what had no room for one more. */
static void refused(struct passages *ps, struct passage *p, int error)
{
	bool crowded = error == EAGAIN || error == EMFILE || error == ENFILE || error == ENOBUFS;

	if (!ps->on_demand && !crowded) {
		passage_fail(ps, p, error);
		return;
	}
	p->stage = PASSAGE_WAITING;
	p->number = 0;
	p->retry_at_ms = ps->now_ms + p->backoff_ms;
	p->backoff_ms = 2 * p->backoff_ms < RETRY_MAX_MS ? 2 * p->backoff_ms : RETRY_MAX_MS;
}

void passage_try(struct passages *ps, struct passage *p)
{
	int error = EADDRNOTAVAIL;

	for (; p->number < ps->target.count; p->number++) {
		int done;

		if (p->stage == PASSAGE_WAITING) {
			p->server = target_connect(&ps->target, p->number);
			if (p->server < 0) {
				error = errno;
				continue;
			}
			p->stage = PASSAGE_CONNECTING;
			if (!watch(ps, p, p->server)) {
				passage_fail(ps, p, errno);
				return;
			}
		}
		done = target_connected(p->server);
		if (done > 0)
			start(ps, p);
		if (done >= 0)
			return;
		error = errno;
		close(p->server);
		p->server = -1;
		p->stage = PASSAGE_WAITING;
	}
	refused(ps, p, error);
}

/* Half a close is none: it may still wait for the answer.  Nor is the end of a pipe, by hand. */
static bool client_left(const struct passage *p)
{
	struct pollfd end = { .fd = p->in };
	socklen_t len = sizeof(int);
	int type;

	return poll(&end, 1, 0) > 0 && end.revents & (POLLHUP | POLLERR) &&
	       getsockopt(p->in, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
}

void passage_event(struct passages *ps, struct passage *p)
{
	if (p->stage == PASSAGE_RELAYING)
		pump(ps, p);
	else if (p->stage != PASSAGE_DEAD && client_left(p))
		end(ps, p, false);
	else if (p->stage == PASSAGE_CONNECTING)
		passage_try(ps, p);
}

/* ---- all of them ---- */

bool passages_reserve(struct passages *ps)
{
	struct passage *p;

	if (ps->spare)
		return true;
	p = calloc(1, sizeof(*p));
	if (!p)
		return false;
	if (relay_init(&p->relay) < 0) {
		int error = errno;

		free(p);
		errno = error;
		return false;
	}
	p->server = -1;
	ps->spare = p;
	return true;
}

bool passages_add(struct passages *ps, int in, int out, struct passage **added)
{
	struct passage *p = *added = ps->spare;

	ps->spare = NULL;
	p->in = in;
	p->out = out;
	p->stage = PASSAGE_WAITING;
	p->backoff_ms = RETRY_MIN_MS;
	p->active_ms = ps->now_ms;
	p->deadline_ms = ps->now_ms + ps->wait_ms;
	ps->count++;
	ps->waiting++;
	list_add(&ps->all, p);
	return watch(ps, p, in) && (out == in || watch(ps, p, out));
}

void passages_reset_waiting(struct passages *ps)
{
	for (struct passage *p = ps->all.first, *next; p; p = next) {
		next = p->next;
		if (p->stage != PASSAGE_RELAYING)
			end(ps, p, true);
	}
}

void passages_reset_all(struct passages *ps)
{
	for (struct passage *p; (p = ps->all.first);)
		end(ps, p, true);
}

struct passage *passages_tick_waiting(struct passages *ps, bool ready)
{
	bool one = ps->on_demand && !ps->answers;

	for (struct passage *p = ps->all.first, *next; p; p = next) {
		next = p->next;
		if (p->stage == PASSAGE_RELAYING)
			continue;
		if (ps->now_ms >= p->deadline_ms)
			return p;
		if (ready && p->stage == PASSAGE_WAITING && ps->now_ms >= p->retry_at_ms)
			passage_try(ps, p);
		if (one)
			break;
	}
	return NULL;
}

void passages_tick_relaying(struct passages *ps)
{
	for (struct passage *p = ps->all.first, *next; p; p = next) {
		next = p->next;
		if (p->drained_at_ms && ps->now_ms >= p->drained_at_ms)
			end(ps, p, false);
		else if (ps->timeout_ms && p->stage == PASSAGE_RELAYING &&
			 ps->now_ms - p->active_ms >= ps->timeout_ms)
			end(ps, p, true);
	}
}

void passages_go_on(struct passages *ps)
{
	for (struct passage *p = ps->all.first, *next; p && ps->unfinished > 0; p = next) {
		next = p->next;
		if (p->more)
			pump(ps, p);
	}
}

void passages_bury(struct passages *ps)
{
	for (struct passage *p; (p = ps->dead.first);) {
		list_remove(&ps->dead, p);
		free(p);
	}
}

void passages_fini(struct passages *ps)
{
	if (!ps->spare)
		return;
	relay_close(&ps->spare->relay);
	free(ps->spare);
}
