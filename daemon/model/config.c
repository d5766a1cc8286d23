#include "daemon/model/config.h"

#include <stdlib.h>

void config_free(struct config *c)
{
	if (!c)
		return;
	arena_free(&c->arena);
	free(c);
}
