/* The environment of a handler: the service's own list, then what is known of the connection,
 * under the names that existing programs read.  Built from a list; the peer never chooses a
 * name, and values are numbers and addresses only (H22). */
#ifndef MODEL_ENV_H
#define MODEL_ENV_H

#include "daemon/model/service.h"

/* Both ends of a connection, as far as the kernel knew them (H6: a peer may be gone already). */
struct ends {
	struct addr remote, local; /* len 0: unknown */
	bool credentials;          /* of a unix peer, below */
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

#define ENV_CONN_MAX 16  /* variables of a connection, at most */
#define ENV_TEXT_MAX 768 /* bytes they take, at most */

/* Fills envp (room for s->env_count + ENV_CONN_MAX + 1) with pointers into the service's list
 * and into `text`.  Returns how many there are before the final NULL. */
size_t env_build(const struct service *s, uint64_t conn, const struct ends *e,
	char text[ENV_TEXT_MAX], const char **envp);

#endif
