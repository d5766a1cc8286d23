/* The two listening sockets of control.h, `control` and `observe`: what a configuration wants of
 * them, and who comes through them.
 *
 * A change has two halves, as a reload has: what can fail first, then what cannot.  Refuses to know
 * what is said behind a door: whoever has come is handed on. */
#ifndef RUN_CONTROL_DOORS_H
#define RUN_CONTROL_DOORS_H

#include "daemon/config/complain.h"
#include "daemon/run/state.h"

#include <jansson.h>

enum role { CONTROL, OBSERVE, ROLES };

struct inheritance;

struct door {
	struct doors *doors;
	enum role role;
	char *name; /* owned; NULL: closed */
	struct addr addr;
	struct sock_path path;
	int fd;
	struct event *event; /* owned */
	struct event *pause; /* owned; NULL: it was never needed */
	bool keep;           /* of `next`: the one that is open goes on */
};

struct doors {
	struct daemon *d;
	/* Somebody has come.  Takes the descriptor, which does not block. */
	void (*come)(void *context, enum role role, int fd);
	void *context;
	struct door now[ROLES], next[ROLES];
};

/* Opens what a configuration asks for and is not open.  False: there is a complaint, and nothing
 * has changed, nor does a commit change anything.  After true, commit or abandon. */
bool doors_prepare(struct doors *doors, const struct config *config, struct complaints *complaints);
void doors_commit(struct doors *doors);
void doors_abandon(struct doors *doors);

/* Those that are open; a path is removed with its socket. */
void doors_close(struct doors *doors);

/* Is one of them open? */
bool doors_any(const struct doors *doors);

/* For an upgrade. */
json_t *doors_save(const struct doors *doors, struct inheritance *in);
void doors_restore(struct doors *doors, const json_t *saved);

#endif
