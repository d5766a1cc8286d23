#include "handlers/common/duration.h"

#include <string.h>

static const struct {
	const char *name;
	uint64_t ms;
} units[] = {
	{ "", 1000 },
	{ "ms", 1 },
	{ "s", 1000 },
	{ "m", 60 * 1000 },
	{ "h", 3600 * 1000 },
	{ "d", 24 * 3600 * 1000 },
};

bool duration_parse(const char *text, uint64_t max_ms, uint64_t *ms)
{
	uint64_t n = 0;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		n = 10 * n + (uint64_t)(*text - '0');
		if (n > max_ms)
			return false;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text, units[i].name) == 0 && n <= max_ms / units[i].ms) {
			*ms = n * units[i].ms;
			return true;
		}
	}
	return false;
}
