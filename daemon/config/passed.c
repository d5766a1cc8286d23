#include "daemon/config/passed.h"

#include "daemon/os/handed.h"

#include <stdio.h>
#include <string.h>

static bool is_said(size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(handed_at(i)->name, handed_at(n)->name) == 0)
			return true;
	return false;
}

/* "'www', 'smtp'", as far as there is room. */
static void list_names(char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < handed_count() && used < size; i++)
		if (!is_said(i))
			used += (size_t)snprintf(out + used, size - used, "%s'%s'",
				used ? ", " : "", handed_at(i)->name);
}

const char *passed_find(const char *name, void (*each)(const struct addr *, void *), void *context,
	char *why, size_t why_size)
{
	char names[128];
	size_t found = 0;

	for (size_t i = 0; i < handed_count(); i++) {
		const struct handed *h = handed_at(i);

		if (!handed_is(h, name))
			continue;
		if (h->wrong) {
			snprintf(why, why_size, "fd:%s, descriptor %d, cannot be listened on: %s",
				name, h->number, h->wrong);
			return why;
		}
		each(&h->addr, context);
		found++;
	}
	if (found)
		return NULL;
	list_names(names, sizeof names);
	if (handed_count())
		snprintf(why, why_size, "no socket '%s' was handed over; there is %s", name, names);
	else
		snprintf(why, why_size, "no socket was handed over to superd: %s",
			handed_why_none());
	return why;
}
