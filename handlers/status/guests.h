/*
 * guests: the clients that are connected, as far as evhttp does not say.
 *
 * evhttp of libevent 2.1 has neither a limit on connections, nor one on how long the head of a
 * request may take, nor a word on whether anybody is connected at all.  Here is all three, without
 * touching evhttp's own state: it is given the bufferevents (evhttp_set_bevcb), and a reference to
 * each is kept until evhttp has let go of it.
 */
#ifndef HANDLERS_STATUS_GUESTS_H
#define HANDLERS_STATUS_GUESTS_H

#include <event2/event.h>
#include <event2/http.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	GUESTS_MAX = 64,       /* connections; others wait in the kernel */
	GUESTS_PAUSE_MS = 200, /* where no descriptor is left for one more */
};

struct guests;

/* `tick`, borrowed, is activated when somebody comes. */
struct guests *guests_new(struct event_base *base, struct evhttp *http, struct event *tick);

/* After evhttp_free. */
void guests_free(struct guests *g);

/* Accepts from there, a listening socket, on evhttp's behalf.  False: errno. */
bool guests_listen(struct guests *g, struct evhttp *http, int fd);
void guests_listen_no_more(struct guests *g);

/* A request has come, and its answer has been sent. */
void guests_asked(struct guests *g, struct evhttp_request *req);
void guests_served(struct guests *g, struct evhttp_request *req);

/* Looks after them; call it every second or so while there are any.  Who has not completed the next
 * request `patience_ms` after the last answer is left.  Returns how many there are. */
size_t guests_tend(struct guests *g, uint64_t now_ms, uint64_t patience_ms);

/* Is an answer on its way to somebody? */
bool guests_busy(const struct guests *g);

#endif
