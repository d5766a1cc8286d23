#include "handlers/status/question.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct waiter {
	STAILQ_ENTRY(waiter) next;
	observe_fn *done;
	void *arg;
};

struct question *question_find(struct questions *list, const char *line)
{
	struct question *q;

	TAILQ_FOREACH (q, list, next)
		if (strcmp(q->line, line) == 0)
			return q;
	return NULL;
}

void question_free(struct question *q)
{
	struct waiter *w;

	while ((w = STAILQ_FIRST(&q->waiters))) {
		STAILQ_REMOVE_HEAD(&q->waiters, next);
		free(w);
	}
	if (q->answer)
		evbuffer_free(q->answer);
	free(q->line);
	free(q);
}

struct question *question_new(const char *line)
{
	struct question *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	STAILQ_INIT(&q->waiters);
	q->line = strdup(line);
	q->answer = evbuffer_new();
	if (q->line && q->answer)
		return q;
	question_free(q);
	return NULL;
}

bool question_wait(struct question *q, observe_fn *done, void *arg)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return false;
	*w = (struct waiter){ .done = done, .arg = arg };
	STAILQ_INSERT_TAIL(&q->waiters, w, next);
	return true;
}

void question_tell(struct question *q, const char *why)
{
	const char *text = why ? NULL : (const char *)evbuffer_pullup(q->answer, -1);
	struct waiter *w;

	while ((w = STAILQ_FIRST(&q->waiters))) {
		STAILQ_REMOVE_HEAD(&q->waiters, next);
		w->done(w->arg, text, evbuffer_get_length(q->answer),
			text || why ? why : strerror(ENOMEM));
		free(w);
	}
}

void questions_forget(struct questions *list, uint64_t until_ms)
{
	struct question *q, *after;

	for (q = TAILQ_FIRST(list); q; q = after) {
		after = TAILQ_NEXT(q, next);
		if (q->answered_ms > until_ms)
			continue;
		TAILQ_REMOVE(list, q, next);
		question_free(q);
	}
}
