/* Saying no to a client: quickly, without ever waiting, and so that it hears it (H36). */
#ifndef RUN_REFUSE_H
#define RUN_REFUSE_H

#include "daemon/run/state.h"

/* Sends the service's reject_message, if it has one, and closes.  Takes the descriptor. */
void refuse(struct unit *u, int fd);

#endif
