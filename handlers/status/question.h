/*
 * question: one that is asked of superd, by everybody who asks the same, and its answer.
 *
 * It refuses to know how superd is asked: that is observe.c's.
 */
#ifndef HANDLERS_STATUS_QUESTION_H
#define HANDLERS_STATUS_QUESTION_H

#include <event2/buffer.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "handlers/status/observe.h"

struct question {
	TAILQ_ENTRY(question) next;
	char *line;              /* owned */
	struct evbuffer *answer; /* owned */
	size_t events;           /* that have come as part of the answer */
	uint64_t answered_ms;    /* 0: not yet */
	STAILQ_HEAD(, waiter) waiters;
};

TAILQ_HEAD(questions, question);

/* NULL: no memory. */
struct question *question_new(const char *line);
void question_free(struct question *q); /* who waits is not answered */

/* The one of that line; NULL: none. */
struct question *question_find(struct questions *list, const char *line);

/* `done` will be told.  False: no memory. */
bool question_wait(struct question *q, observe_fn *done, void *arg);

/* Answers everybody who waits for it; without an answer it says why. */
void question_tell(struct question *q, const char *why);

/* Those that were answered until then. */
void questions_forget(struct questions *list, uint64_t until_ms);

#endif
