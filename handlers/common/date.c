#include "handlers/common/date.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

void date_format(char out[DATE_SIZE], time_t when)
{
	const int64_t first = -62167219200, last = 253402300799; /* years 0 and 9999 */
	char text[80]; /* what the compiler fears that the numbers could take */
	struct tm tm;

	/* A time_t of 32 bits is always between them. */
	when = (time_t)(when < first ? first : when > last ? last : when);
	gmtime_r(&when, &tm);
	snprintf(text, sizeof(text), "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
		days + tm.tm_wday * 3, tm.tm_mday, months + tm.tm_mon * 3, tm.tm_year + 1900,
		tm.tm_hour, tm.tm_min, tm.tm_sec);
	memcpy(out, text, DATE_SIZE);
}

/* Some digits as a number; -1 if one of them is none. */
static int number(const char *at, int digits)
{
	int n = 0;

	while (digits-- > 0) {
		if (*at < '0' || *at > '9')
			return -1;
		n = n * 10 + (*at++ - '0');
	}
	return n;
}

static int month_of(const char *name)
{
	for (int i = 0; i < 12; i++)
		if (memcmp(name, months + i * 3, 3) == 0)
			return i;
	return -1;
}

bool date_parse(struct http_text text, time_t *when)
{
	char again[DATE_SIZE], copy[DATE_SIZE];
	struct tm tm = { 0 };

	if (!text.at || text.len != DATE_SIZE - 1)
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	tm.tm_mday = number(copy + 5, 2);
	tm.tm_mon = month_of(copy + 8);
	tm.tm_year = number(copy + 12, 4) - 1900;
	tm.tm_hour = number(copy + 17, 2);
	tm.tm_min = number(copy + 20, 2);
	tm.tm_sec = number(copy + 23, 2);
	if (tm.tm_mon < 0)
		return false;
	*when = timegm(&tm);
	/* Punctuation, day of the week, 30 February: a date is right if we would write it so. */
	date_format(again, *when);
	return memcmp(again, copy, DATE_SIZE) == 0;
}
