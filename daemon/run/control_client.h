/* The clients of the control socket: one JSON request a line, one answer a line.
 *
 * None of them stalls the loop: one request a turn, and who does not read its answers is dropped.
 * Half a close is none: who will ask no more may still wait for its answer.  Refuses to know what
 * the requests mean: that is control_verbs.h. */
#ifndef RUN_CONTROL_CLIENT_H
#define RUN_CONTROL_CLIENT_H

#include "daemon/config/complain.h"
#include "daemon/run/control_doors.h"
#include "daemon/run/control_events.h"
#include "daemon/run/state.h"

#include <jansson.h>

struct client;

struct clients {
	struct daemon *d;
	struct events *events; /* borrowed */
	TAILQ_HEAD(, client) all;
	size_t count[ROLES], drains;
};

void clients_init(struct clients *cs, struct daemon *d, struct events *events);

/* All leave, with what they have been answered. */
void clients_fini(struct clients *cs);

/* Somebody has come through the door of that role.  Takes the descriptor. */
void clients_come(struct clients *cs, enum role role, int fd);

/* Between two turns of the loop: answers those who wait for a service that is empty now. */
void clients_check(struct clients *cs);

/* The upgrade is over: whoever asked for it is answered.  `why` NULL: it was done. */
void clients_upgraded(struct clients *cs, const char *why);

/* For an upgrade: those who wait for it. */
json_t *clients_save(const struct clients *cs, struct inheritance *in);
void clients_restore(struct clients *cs, const json_t *saved);

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
