/* Sockets that superd's parent opened for it: LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES, as
 * sd_listen_fds(3) has them.  They belong to the process as its environment does, so there is one
 * list of them.  It only grows at the start: superd keeps each as long as it lives, whether a
 * service listens on it or not, and a listener gets a duplicate. */
#ifndef OS_HANDED_H
#define OS_HANDED_H

#include "daemon/model/addr.h"

struct handed {
	char *name;        /* several may have the same */
	int number;        /* the descriptor that it came as */
	int fd;            /* the descriptor that it is now; close-on-exec */
	struct addr addr;  /* as bound; its `handed` says which of the list it is */
	const char *wrong; /* NULL; or why nobody can listen on it, a static string */
};

/* Takes what the environment says, and the three variables out of it: handlers shall not take the
 * sockets for theirs.  To be called while nothing else but 0, 1 and 2 was opened.  With `guess`,
 * where nothing was handed over it is not known what will be.  fatal() where the parent lied. */
void handed_take(bool guess);

/* One that the superd before this one had; by the same order, it gets the same place. */
void handed_add(const char *name, int number, int fd, const struct addr *addr, bool usable);

/* Is the list what it will be?  handed_know says so. */
bool handed_is_known(void);
void handed_know(void);

size_t handed_count(void);
const struct handed *handed_at(size_t i);

/* Has it that name, or is it called by its number? */
bool handed_is(const struct handed *h, const char *name);

/* Why there are none, for a person; a static string. */
const char *handed_why_none(void);

#endif
