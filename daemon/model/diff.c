#include "daemon/model/diff.h"

#include <stdlib.h>
#include <string.h>

static int order(size_t a, size_t b)
{
	return a < b ? -1 : a > b;
}

static bool chosen_by_kernel(const struct addr *a)
{
	return !addr_is_unix(a) && addr_port(a) == 0;
}

/* Equal if one socket serves both. */
static int compare(const struct diff_item *a, const struct diff_item *b)
{
	const struct addr *x = a->addr, *y = b->addr;
	int by = order(x->kind, y->kind);

	if (!by)
		by = order(x->handed, y->handed);
	if (!by)
		by = order(x->dual, y->dual);
	if (!by)
		by = order(x->len, y->len);
	if (!by)
		by = memcmp(&x->sa, &y->sa, x->len);
	if (!by && chosen_by_kernel(x))
		by = strcmp(a->service, b->service);
	return by;
}

static int for_qsort(const void *left, const void *right)
{
	const struct diff_item *a = left, *b = right;
	int by = compare(a, b);

	return by ? by : order(a->index, b->index);
}

void diff_pair(struct diff_item *old, size_t old_count, struct diff_item *new, size_t new_count)
{
	size_t i = 0, k = 0;

	for (size_t n = 0; n < old_count; n++)
		old[n].match = DIFF_NONE;
	for (size_t n = 0; n < new_count; n++)
		new[n].match = DIFF_NONE;
	if (!old_count || !new_count)
		return;
	qsort(old, old_count, sizeof *old, for_qsort);
	qsort(new, new_count, sizeof *new, for_qsort);
	while (i < old_count && k < new_count) {
		int by = compare(&old[i], &new[k]);

		if (by == 0) {
			old[i].match = new[k].index;
			new[k].match = old[i].index;
		}
		i += by <= 0;
		k += by >= 0;
	}
}
