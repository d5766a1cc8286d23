/* A connection to superd's control socket: requests and answers, JSON lines. */
#ifndef CTL_LINK_H
#define CTL_LINK_H

#include <jansson.h>
#include <stdio.h>

struct link {
	int fd;
	FILE *in; /* owned, with fd */
};

/* Exits 111 with a sentence where nobody answers. */
void link_open(struct link *l, const char *path);
void link_close(struct link *l);

/* Called before the sentence is printed: a full screen must go first. */
void link_before_exit(void (*call)(void));

/* The answer, which the caller gives back.  Takes the request.  Exits 111 where superd is gone. */
json_t *link_ask(struct link *l, json_t *request);

/* The next line as JSON; NULL at the end. */
json_t *link_next(struct link *l);

#endif
