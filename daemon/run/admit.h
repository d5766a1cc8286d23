/* Who gets in.  Decides, and changes nothing. */
#ifndef RUN_ADMIT_H
#define RUN_ADMIT_H

#include "daemon/run/state.h"

enum room {
	ROOM,
	ROOM_SERVICE_FULL,
	ROOM_TOTAL_FULL,
};

/* Is there room for one more connection of this service?  Asked before accept(2): while there
 * is none, clients wait in the kernel's backlog. */
enum room admit_room(const struct unit *u);

#endif
