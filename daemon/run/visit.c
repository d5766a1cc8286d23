#include "daemon/run/visit.h"

#include <inttypes.h>
#include <stdarg.h>

static void tell(struct visit *v, const char *kind, const struct service *s, const char *remedy,
	const char *format, va_list ap)
{
	fprintf(v->out, "%s", kind);
	if (s)
		fprintf(v->out, "%s: service '%s': ", s->place, s->name);
	vfprintf(v->out, format, ap);
	fprintf(v->out, "\n         %s\n", remedy);
}

void visit_problem(
	struct visit *v, const struct service *s, const char *remedy, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	tell(v, "problem  ", s, remedy, format, ap);
	va_end(ap);
	v->problems++;
}

void visit_doubt(
	struct visit *v, const struct service *s, const char *remedy, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	tell(v, "doubt    ", s, remedy, format, ap);
	va_end(ap);
	v->doubts++;
}

uint64_t visit_number_in(const char *path)
{
	uint64_t n = UINT64_MAX;
	FILE *f = fopen(path, "re");

	if (f && fscanf(f, "%" SCNu64, &n) != 1)
		n = UINT64_MAX;
	if (f)
		fclose(f);
	return n;
}
