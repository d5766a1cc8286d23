/* Addresses that two listeners cannot both have. */
#include "daemon/config/services.h"

#include <stdlib.h>
#include <string.h>

/* Hosts that overlap others of their port come first. */
static int breadth(const struct addr *a)
{
	if (!addr_is_ip(a))
		return 0;
	if (a->dual)
		return 0;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == htonl(INADDR_ANY) ? 1 : 3;
	return IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr) ? 2 : 4;
}

static int by_host(const struct addr *a, const struct addr *b)
{
	if (breadth(a) != breadth(b))
		return breadth(a) - breadth(b);
	if (!addr_is_ip(a))
		return 0;
	if (a->sa.sa_family == AF_INET)
		return memcmp(&a->in.sin_addr, &b->in.sin_addr, sizeof a->in.sin_addr);
	return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof a->in6.sin6_addr);
}

static int by_addr(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;
	int order = addr_group(a->addr, b->addr);

	if (order == 0)
		order = by_host(a->addr, b->addr);
	/* Claims of one address stay in the order of the files: the later one is the error.  In the
	 * arena, what comes later need not be higher, so the order is counted. */
	if (order == 0)
		order = a->order < b->order ? -1 : a->order > b->order;
	return order;
}

static void complain_clash(struct loader *l, const struct claim *a, const struct claim *b)
{
	const struct claim *first = a->order < b->order ? a : b, *again = first == a ? b : a;
	char mine[ADDR_TEXT_MAX], theirs[ADDR_TEXT_MAX], owner[100];
	struct place at = again->place;
	unsigned line, column;

	snprintf(owner, sizeof owner, "service '%s'", again->service);
	at.owner = owner;
	addr_format(again->addr, mine);
	addr_format(first->addr, theirs);
	file_place(first->place.file, first->place.offset, &line, &column);
	if (!line)
		loader_complain(l, &at, "listen", "%s clashes with %s", mine, theirs);
	else
		loader_complain(l, &at, "listen", "%s clashes with %s of service '%s', at %s:%u:%u",
			mine, theirs, first->service, first->place.file->name, line, column);
}

static bool same_place(const struct place *a, const struct place *b)
{
	return a->file == b->file && a->offset == b->offset && a->offset != NOWHERE;
}

/* Two ranges that overlap do so at many ports; said once. */
static bool said(const struct loader *l, const struct claim *a, const struct claim *b)
{
	const struct claim *c = l->clash[0], *d = l->clash[1];

	return c && ((same_place(&a->place, &c->place) && same_place(&b->place, &d->place)) ||
			    (same_place(&a->place, &d->place) && same_place(&b->place, &c->place)));
}

/* In one group, an address clashes with its equals, which stand beside it, or with one of the few
 * broad ones, which stand in front: so one pass finds all. */
static void check_group(struct loader *l, const struct claim *list, size_t n)
{
	const struct claim *broad[3];
	size_t broad_count = 0;

	for (size_t i = 0; i < n; i++) {
		bool clash = i > 0 && addr_clash(list[i - 1].addr, list[i].addr);
		const struct claim *with = clash ? &list[i - 1] : NULL;

		for (size_t j = 0; !with && j < broad_count; j++) {
			if (addr_clash(broad[j]->addr, list[i].addr))
				with = broad[j];
		}
		if (with && !said(l, with, &list[i]))
			complain_clash(l, with, &list[i]);
		if (with) {
			l->clash[0] = with;
			l->clash[1] = &list[i];
		} else if (breadth(list[i].addr) < 3 && broad_count < 3) {
			broad[broad_count++] = &list[i];
		}
	}
}

void services_clashes(struct loader *l)
{
	size_t from = 0;

	for (size_t i = 0; i < l->claims_count; i++)
		l->claims[i].order = i;
	if (l->claims_count)
		qsort(l->claims, l->claims_count, sizeof *l->claims, by_addr);
	for (size_t i = 1; i <= l->claims_count; i++) {
		if (i < l->claims_count && addr_group(l->claims[from].addr, l->claims[i].addr) == 0)
			continue;
		check_group(l, l->claims + from, i - from);
		from = i;
	}
}
