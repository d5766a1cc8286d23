/* The control socket: one JSON request a line, one answer a line (superctl(8) has the protocol).
 *
 * Two sockets.  Through `control` superd can be changed; it is its owner's, by its mode and by the
 * kernel's word on who connects.  Through `observe` it can only be looked at.  Neither ever stalls
 * the loop: what a client does not read is kept up to a bound, and then events are left out. */
#ifndef RUN_CONTROL_H
#define RUN_CONTROL_H

#include "daemon/config/complain.h"
#include "daemon/run/state.h"

#include <jansson.h>

#define CONTROL_PROTOCOL 1

struct control;
struct client;

/* Without sockets yet. */
struct control *control_new(struct daemon *d);
void control_free(struct control *c); /* NULL is fine */

/* Opens what a configuration asks for and is not open.  False: there is a complaint, and nothing
 * has changed.  After true, commit or abandon. */
bool control_prepare(struct control *c, const struct config *config, struct complaints *complaints);
void control_commit(struct control *c);
void control_abandon(struct control *c);

struct inheritance;

/* For an upgrade: the sockets, and the client that waits for it. */
json_t *control_save(const struct control *c, struct inheritance *in);
void control_restore(struct control *c, const json_t *saved);

/* The upgrade is over: whoever asked for it is answered.  `why` NULL: it was done. */
void control_upgraded(struct control *c, const char *why);

/* Between two turns of the loop: answers those who wait for something that has come. */
void control_check(struct control *c);

/* ---- for the verbs */

/* Ends the line.  Takes the answer. */
void client_answer(struct client *k, json_t *answer);

/* An answer that says no.  With complaints (not NULL) they are told one by one. */
void client_refuse(struct client *k, struct complaints *complaints, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The service will have no connections some time; then it is answered. */
void client_wait_drained(struct client *k, const char *service);

/* Superd will be upgraded, or not; then it is answered. */
void client_wait_upgraded(struct client *k);

/* Sends it the last `count` events, and those that come from now on if `follow`. */
void client_log(struct client *k, enum log_level level, size_t count, bool follow);

struct daemon *client_daemon(const struct client *k);
bool client_may_change(const struct client *k);

/* Adds who it is to a line of the log. */
void client_tell(const struct client *k, struct log_line *l);

#endif
