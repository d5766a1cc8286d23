#include "handlers/common/cond.h"

#include <string.h>
#include <strings.h>

#include "handlers/common/date.h"

/* Is the tag in the list, or the list "*"?  weak: W/"x" counts as "x"; our own are strong. */
static bool has_tag(struct http_text list, const char *etag, bool weak)
{
	struct http_text tag;

	if (http_equals(list, "*"))
		return true;
	while (http_next_element(&list, &tag)) {
		if (weak && tag.len > 2 && memcmp(tag.at, "W/", 2) == 0)
			tag = (struct http_text){ tag.at + 2, tag.len - 2 };
		if (http_equals(tag, etag))
			return true;
	}
	return false;
}

int cond_check(const struct http_request *r, const struct cond_state *file)
{
	const struct http_text *if_match = http_find(r, "If-Match");
	const struct http_text *if_unmodified = http_find(r, "If-Unmodified-Since");
	const struct http_text *if_none = http_find(r, "If-None-Match");
	const struct http_text *if_modified = http_find(r, "If-Modified-Since");
	time_t since;

	/* Where there are tags, dates do not count: they are the coarser measure. */
	if (if_match) {
		if (!has_tag(*if_match, file->etag, false))
			return 412;
	} else if (if_unmodified && date_parse(*if_unmodified, &since) && file->changed > since) {
		return 412;
	}
	if (if_none)
		return has_tag(*if_none, file->etag, true) ? 304 : 200;
	if (if_modified && date_parse(*if_modified, &since) && file->changed <= since)
		return 304;
	return 200;
}

/* Digits to a number.  False if there is none; what does not fit counts as very far. */
static bool parse_position(struct http_text digits, uint64_t *n)
{
	*n = 0;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.at[i] < '0' || digits.at[i] > '9')
			return false;
		if (*n < UINT64_MAX / 16)
			*n = *n * 10 + (uint64_t)(digits.at[i] - '0');
	}
	return digits.len > 0;
}

/* If-Range: the range counts only if the client's part is of this very version. */
static bool is_same_version(const struct http_request *r, const struct cond_state *file)
{
	const struct http_text *version = http_find(r, "If-Range");
	time_t when;

	if (!version || http_equals(*version, file->etag))
		return true;
	return date_parse(*version, &when) && when == file->changed;
}

int cond_range(
	const struct http_request *r, const struct cond_state *file, uint64_t *first, uint64_t *len)
{
	const struct http_text *range = http_find(r, "Range");
	struct http_text from, to;
	uint64_t start, last;
	const char *dash;

	*first = 0;
	*len = file->size;
	if (r->method != HTTP_GET || !range || range->len < 6 ||
		strncasecmp(range->at, "bytes=", 6) != 0 || !is_same_version(r, file))
		return 200;
	from = (struct http_text){ range->at + 6, range->len - 6 };
	dash = memchr(from.at, '-', from.len);
	if (!dash)
		return 200;
	to = (struct http_text){ dash + 1, from.len - (size_t)(dash + 1 - from.at) };
	from.len = (size_t)(dash - from.at);

	if (from.len == 0) { /* the last so many bytes */
		if (!parse_position(to, &last))
			return 200;
		start = last < file->size ? file->size - last : 0;
		last = UINT64_MAX;
	} else if (!parse_position(from, &start)) {
		return 200;
	} else if (to.len == 0) {
		last = UINT64_MAX;
	} else if (!parse_position(to, &last) || last < start) {
		return 200;
	}
	if (start >= file->size)
		return 416;
	*first = start;
	*len = (last < file->size ? last + 1 : file->size) - start;
	return 206;
}
