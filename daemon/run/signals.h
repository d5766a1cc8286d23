/* The signals of superd: blocked, and read from a descriptor.
 *
 * So superd has no signal handler at all, and a child that still shares our memory cannot run
 * one; and every disposition is the default, which is what a handler should inherit (H14). */
#ifndef RUN_SIGNALS_H
#define RUN_SIGNALS_H

#include "daemon/run/state.h"

void signals_open(struct daemon *d);
void signals_watch(struct daemon *d);
void signals_close(struct daemon *d);

#endif
