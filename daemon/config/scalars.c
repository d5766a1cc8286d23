/* Values that are one thing: true or false, numbers, durations, sizes, rates, octal digits. */
#include "daemon/config/types.h"
#include "daemon/model/quantity.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool read_bool(struct reader *r, const struct key *k, struct value v, void *field)
{
	if (!json_is_boolean(v.json)) {
		wrong_type(r, k->name, v, "true or false");
		return false;
	}
	*(bool *)field = json_is_true(v.json);
	return true;
}

static bool in_range(struct reader *r, const struct key *k, struct value v, int64_t *n)
{
	const char *text = json_string_value(v.json);

	if (text && *text && strspn(text, "-0123456789") == strlen(text)) {
		value_complain(
			r, k, v, "wants a number, not a string; write %s without quotes", text);
		return false;
	}
	if (!json_is_integer(v.json)) {
		wrong_type(r, k->name, v, json_is_real(v.json) ? "a whole number" : "a number");
		return false;
	}
	*n = json_integer_value(v.json);
	if (*n < k->min || *n > k->max) {
		value_complain(r, k, v, "%" PRId64 " is outside %" PRId64 "..%" PRId64, *n, k->min,
			k->max);
		return false;
	}
	return true;
}

bool read_count(struct reader *r, const struct key *k, struct value v, void *field)
{
	int64_t n;

	if (!in_range(r, k, v, &n))
		return false;
	*(uint32_t *)field = (uint32_t)n;
	return true;
}

bool read_int(struct reader *r, const struct key *k, struct value v, void *field)
{
	int64_t n;

	if (!in_range(r, k, v, &n))
		return false;
	*(int *)field = (int)n;
	return true;
}

/* The string, or the number as one; NULL: it is neither. */
static const char *text_or_number(const json_t *v, char number[32])
{
	if (!json_is_number(v))
		return json_string_value(v);
	snprintf(number, 32, "%.15g", json_number_value(v));
	return number;
}

/* Into the field, if it was understood (`wrong` is NULL) and is in the range of the key. */
static bool keep_amount(struct reader *r, const struct key *k, struct value v, const char *text,
	const char *wrong, uint64_t n, char *(*format)(uint64_t n, char *text), void *field)
{
	char least[QUANTITY_TEXT_MAX], most[QUANTITY_TEXT_MAX];

	if (wrong) {
		value_complain(r, k, v, "'%s' %s", text, wrong);
		return false;
	}
	if (n < (uint64_t)k->min || n > (uint64_t)k->max) {
		value_complain(r, k, v, "%s is outside %s..%s", text,
			format((uint64_t)k->min, least), format((uint64_t)k->max, most));
		return false;
	}
	*(uint64_t *)field = n;
	return true;
}

bool read_duration(struct reader *r, const struct key *k, struct value v, void *field)
{
	char number[32];
	const char *text = text_or_number(v.json, number), *wrong;
	uint64_t ms = 0;

	if (!text) {
		wrong_type(r, k->name, v, "a duration such as \"30s\"");
		return false;
	}
	wrong = text == number ? quantity_seconds(json_number_value(v.json), &ms)
			       : quantity_duration(text, &ms);
	return keep_amount(r, k, v, text, wrong, ms, quantity_duration_text, field);
}

bool read_size(struct reader *r, const struct key *k, struct value v, void *field)
{
	char number[32];
	const char *text = text_or_number(v.json, number), *wrong;
	uint64_t bytes = 0;

	if (!text) {
		wrong_type(r, k->name, v, "a size such as \"64K\"");
		return false;
	}
	wrong = quantity_size(text, &bytes);
	return keep_amount(r, k, v, text, wrong, bytes, quantity_size_text, field);
}

bool read_rate(struct reader *r, const struct key *k, struct value v, void *field)
{
	char number[32];
	const char *text = text_or_number(v.json, number), *wrong;

	if (!text) {
		wrong_type(r, k->name, v, "a rate such as \"100/s\"");
		return false;
	}
	wrong = quantity_rate(text, field);
	if (wrong)
		value_complain(r, k, v, "'%s' %s", text, wrong);
	return !wrong;
}

bool read_octal(struct reader *r, const struct key *k, struct value v, void *field)
{
	const char *text = json_string_value(v.json);
	unsigned long mode;

	if (json_is_integer(v.json)) {
		value_complain(r, k, v,
			"wants a string of octal digits, not a number; put it in quotes, as "
			"\"022\"");
		return false;
	}
	if (!text) {
		wrong_type(r, k->name, v, "a string of octal digits");
		return false;
	}
	if (!*text || strspn(text, "01234567") != strlen(text)) {
		value_complain(
			r, k, v, "'%s' is not a string of octal digits, as \"022\" is", text);
		return false;
	}
	mode = strtoul(text, NULL, 8);
	if (mode > (unsigned long)k->max) {
		value_complain(r, k, v, "'%s' is outside 0..0%lo", text, (unsigned long)k->max);
		return false;
	}
	*(mode_t *)field = (mode_t)mode;
	return true;
}
