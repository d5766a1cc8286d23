/* Listeners that are not polled, because there is no room for what they would bring: places of
 * the service or of all, descriptors, memory, processes; or because somebody asked for it.  Their
 * clients wait in the kernel's backlog, and each is woken when there may be room. */
#ifndef RUN_ROOM_H
#define RUN_ROOM_H

#include "daemon/run/state.h"

/* There is no place for a handler, or those who wait for one are short of something: not polled
 * until there may be. */
void room_wait(struct listener *l);

/* Something is short, as this error says: not polled for a moment. */
void room_suspend(struct listener *l, int error);

/* Its service is paused. */
void room_stop(struct listener *l);

/* It waits for nothing any more, and is polled. */
void room_wake(struct listener *l);

/* All listeners of a service, until they are resumed. */
void room_pause(struct unit *u);
void room_resume(struct unit *u);

/* A service is full and a client waits for it: says so, once. */
void room_tell_full(struct unit *u);

/* Something is short: those who wait are tried again in a moment. */
void room_retry(struct daemon *d);

/* A handler ended or a descriptor came free: somebody who waits may have room now. */
void room_freed(struct unit *u);

/* Whoever has waited longest for a place of all is served now.  False: nobody waits. */
bool room_let_in(struct daemon *d);

/* A listener of the service has taken what it wanted; there may be room for another one. */
void room_pass_on(struct unit *u);

/* Limits may have changed: everybody who waits for room is asked anew. */
void room_recheck(struct daemon *d);

#endif
