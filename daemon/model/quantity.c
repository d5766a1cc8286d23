#include "daemon/model/quantity.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t scale;
};

/* The largest first: the first that divides a value makes its shortest text. */
static const struct unit durations[] = {
	{ "d", 86400000 },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
	{ NULL, 0 },
};
static const struct unit sizes[] = {
	{ "T", UINT64_C(1) << 40 },
	{ "G", UINT64_C(1) << 30 },
	{ "M", UINT64_C(1) << 20 },
	{ "K", UINT64_C(1) << 10 },
	{ "", 1 },
	{ NULL, 0 },
};

static const struct unit periods[] = {
	{ "s", 1000000 },
	{ "m", 60000000 },
	{ "h", UINT64_C(3600000000) },
	{ NULL, 0 },
};

#define FRACTION_DIGITS 9
#define RATE_MAX 1000000 /* counts in microseconds: no interval becomes 0 */

struct number {
	uint64_t whole, fraction, fraction_scale;
};

/* Reads digits with an optional fraction; moves *text behind them. */
static const char *read_number(const char **text, struct number *n)
{
	const char *p = *text;

	*n = (struct number){ .fraction_scale = 1 };
	if (*p == '-')
		return "must not be negative";
	if (*p < '0' || *p > '9')
		return "does not begin with a number";
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(n->whole, 10, &n->whole) ||
			__builtin_add_overflow(n->whole, (unsigned)(*p - '0'), &n->whole))
			return "is too large";
	}
	if (*p == '.') {
		int digits = 0;

		for (p++; *p >= '0' && *p <= '9'; p++, digits++) {
			if (digits == FRACTION_DIGITS)
				return "has too many digits behind the point";
			n->fraction = n->fraction * 10 + (unsigned)(*p - '0');
			n->fraction_scale *= 10;
		}
		if (digits == 0)
			return "has no digit behind the point";
	}
	*text = p;
	return NULL;
}

/* n * scale, exactly.  The fraction's product could need 30 + 40 bits, so the scale is taken in two
 * parts: with the multiple of the fraction's own scale it stays below `scale`, with the rest below
 * 60 bits. */
static const char *scaled(const struct number *n, uint64_t scale, uint64_t *out)
{
	uint64_t part = n->fraction * (scale / n->fraction_scale);
	uint64_t rest = n->fraction * (scale % n->fraction_scale), whole;

	if (rest % n->fraction_scale)
		return "is finer than superd counts";
	part += rest / n->fraction_scale;
	if (__builtin_mul_overflow(n->whole, scale, &whole) ||
		__builtin_add_overflow(whole, part, out))
		return "is too large";
	return NULL;
}

static const char *read_quantity(const char *text, const struct unit *units, uint64_t plain,
	const char *unknown, uint64_t *out)
{
	struct number n;
	const char *wrong = read_number(&text, &n);

	if (wrong)
		return wrong;
	if (!*text)
		return scaled(&n, plain, out);
	for (const struct unit *u = units; u->name; u++) {
		if (strcmp(text, u->name) == 0)
			return scaled(&n, u->scale, out);
	}
	return unknown;
}

const char *quantity_duration(const char *text, uint64_t *ms)
{
	return read_quantity(
		text, durations, 1000, "has an unknown unit; known: ms, s, m, h, d", ms);
}

const char *quantity_size(const char *text, uint64_t *bytes)
{
	return read_quantity(text, sizes, 1, "has an unknown unit; known: K, M, G, T", bytes);
}

const char *quantity_seconds(double seconds, uint64_t *ms)
{
	double scaled_ms = seconds * 1000;

	if (!(seconds >= 0))
		return "must not be negative";
	if (scaled_ms > 9e15) /* where doubles stop counting one by one */
		return "is too large";
	*ms = (uint64_t)(scaled_ms + 0.5);
	if (*ms == 0 && seconds > 0)
		return "is finer than superd counts";
	return NULL;
}

static char *print_quantity(
	uint64_t value, const struct unit *units, const char *zero, char out[QUANTITY_TEXT_MAX])
{
	const struct unit *u = units;

	if (value == 0) {
		snprintf(out, QUANTITY_TEXT_MAX, "%s", zero);
		return out;
	}
	while (value % u->scale)
		u++;
	snprintf(out, QUANTITY_TEXT_MAX, "%" PRIu64 "%s", value / u->scale, u->name);
	return out;
}

char *quantity_duration_text(uint64_t ms, char out[QUANTITY_TEXT_MAX])
{
	return print_quantity(ms, durations, "0s", out);
}

char *quantity_size_text(uint64_t bytes, char out[QUANTITY_TEXT_MAX])
{
	return print_quantity(bytes, sizes, "0", out);
}

/* ---- rates ---- */

static const char *read_count(const char **text, uint64_t *out)
{
	struct number n;
	const char *wrong = read_number(text, &n);

	if (wrong)
		return wrong;
	if (n.fraction_scale > 1)
		return "is no whole number; less than one a second is as in 30/m";
	if (n.whole > RATE_MAX)
		return "is more than a million";
	*out = n.whole;
	return NULL;
}

/* "/s" and so on; without it, a second. */
static const char *read_period(const char **text, uint64_t *period_us)
{
	size_t n;

	*period_us = periods[0].scale;
	if (**text != '/')
		return NULL;
	++*text;
	n = strcspn(*text, " ");
	for (const struct unit *u = periods; u->name; u++) {
		if (strlen(u->name) == n && strncmp(*text, u->name, n) == 0) {
			*period_us = u->scale;
			*text += n;
			return NULL;
		}
	}
	return "has an unknown unit; known: s, m, h";
}

/* " burst N"; *burst stays as it is without it. */
static const char *read_burst(const char *text, uint64_t *burst)
{
	static const char word[] = " burst ";
	const char *wrong;

	if (!*text)
		return NULL;
	if (strncmp(text, word, sizeof word - 1) != 0)
		return "is no rate; one is as 100/s, or 30/m burst 10";
	text += sizeof word - 1;
	wrong = read_count(&text, burst);
	if (wrong || *text)
		return "has no whole number up to a million behind 'burst'";
	return *burst ? NULL : "has a burst of 0, which lets nobody in";
}

const char *quantity_rate(const char *text, struct rate *out)
{
	uint64_t count, burst, period_us;
	const char *wrong = read_count(&text, &count);

	if (!wrong)
		wrong = read_period(&text, &period_us);
	if (wrong)
		return wrong;
	burst = count;
	wrong = read_burst(text, &burst);
	if (wrong)
		return wrong;
	*out = (struct rate){ 0 };
	if (count)
		*out = (struct rate){ period_us / count, (uint32_t)burst };
	return NULL;
}

static bool makes(const struct unit *u, uint64_t count, const struct rate *r)
{
	return count && count <= RATE_MAX && u->scale / count == r->interval_us;
}

/* A count that is its own burst is what was most likely written. */
char *quantity_rate_text(const struct rate *r, char out[QUANTITY_TEXT_MAX])
{
	snprintf(out, QUANTITY_TEXT_MAX, "0");
	if (!r->interval_us)
		return out;
	for (const struct unit *u = periods; u->name; u++) {
		if (makes(u, r->burst, r)) {
			snprintf(out, QUANTITY_TEXT_MAX, "%" PRIu32 "/%s", r->burst, u->name);
			return out;
		}
	}
	for (const struct unit *u = periods; u->name; u++) {
		uint64_t count = u->scale / r->interval_us;

		if (makes(u, count, r)) {
			snprintf(out, QUANTITY_TEXT_MAX, "%" PRIu64 "/%s burst %" PRIu32, count,
				u->name, r->burst);
			return out;
		}
	}
	return out;
}
