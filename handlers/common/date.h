/*
 * date: HTTP's dates, "Sun, 06 Nov 1994 08:49:37 GMT".
 *
 * It does not read the two forms that have been obsolete since 1999 (RFC 850's and asctime's): no
 * client that gets our Last-Modified sends them back, and one that does gets the whole file.
 */
#ifndef HANDLERS_COMMON_DATE_H
#define HANDLERS_COMMON_DATE_H

#include <stdbool.h>
#include <time.h>

#include "handlers/common/http.h"

enum { DATE_SIZE = 30 };

/* Independent of locale and time zone.  Years outside 0..9999 become the nearest that fits. */
void date_format(char out[DATE_SIZE], time_t when);

/* False: not such a date. */
bool date_parse(struct http_text text, time_t *when);

#endif
