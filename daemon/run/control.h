/* The control socket: one JSON request a line, one answer a line (superctl(8) has the protocol).
 *
 * Two sockets (control_doors.h).  Through `control` superd can be changed; it is its owner's, by
 * its mode and by the kernel's word on who connects.  Through `observe` it can only be looked at.
 * Who comes is a client (control_client.h), and may follow the log (control_events.h).  Refuses to
 * stall the loop: what a client does not read is kept up to a bound, and then events are left
 * out. */
#ifndef RUN_CONTROL_H
#define RUN_CONTROL_H

#include "daemon/config/complain.h"
#include "daemon/run/state.h"

#include <jansson.h>

#define CONTROL_PROTOCOL 1

struct control;

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

#endif
