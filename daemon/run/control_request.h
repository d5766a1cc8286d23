/* What a request of the control socket says, for the verbs: texts, services, addresses.
 *
 * What is asked for and is not there, or is none, is answered here: then the verb has nothing more
 * to do.  Refuses to change anything. */
#ifndef RUN_CONTROL_REQUEST_H
#define RUN_CONTROL_REQUEST_H

#include "daemon/model/acl.h"
#include "daemon/run/control_client.h"

#include <jansson.h>

struct request {
	struct client *client;
	struct daemon *d;
	const json_t *in;
};

/* NULL where it says nothing; anything but a text is nothing. */
const char *request_text(const struct request *r, const char *key);

/* NULL with the answer given. */
const char *request_want_text(const struct request *r, const char *key);
struct unit *request_want_unit(const struct request *r);

/* One that can be opened and closed; else NULL with the answer given. */
struct unit *request_want_listed(const struct request *r);

/* An address or a prefix; with bits of its own beyond it cut off.  False with the answer given. */
bool request_want_prefix(const struct request *r, const char *key, struct acl_prefix *out);

/* It is done, and there is no more to say. */
void request_done(const struct request *r);

#endif
