#include "daemon/model/config.h"

#include <stdlib.h>

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->acls_count; i++)
		acl_free(c->acls[i]);
	free(c->acls);
	arena_free(&c->arena);
	free(c);
}
