#include "daemon/model/config.h"

#include <stdlib.h>

struct config *config_new(void)
{
	struct config *c = mem_new(sizeof *c);

	c->references = 1;
	c->generation = 1;
	return c;
}

struct config *config_ref(struct config *c)
{
	c->references++;
	return c;
}

void config_unref(struct config *c)
{
	if (!c || --c->references)
		return;
	for (size_t i = 0; i < c->acls_count; i++)
		acl_free(c->acls[i]);
	free(c->acls);
	config_unref(c->base);
	arena_free(&c->arena);
	free(c);
}
