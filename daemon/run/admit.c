#include "daemon/run/admit.h"

static bool reached(uint32_t live, uint32_t limit)
{
	return limit && live >= limit;
}

enum room admit_room(const struct unit *u)
{
	if (reached(u->live, u->service->max_connections))
		return ROOM_SERVICE_FULL;
	if (reached(u->daemon->live, u->daemon->config->max_connections))
		return ROOM_TOTAL_FULL;
	return ROOM;
}
