/* Addresses from any text; what is accepted, is accepted again as it is written back. */
#include "daemon/model/addr.h"
#include "daemon/model/quantity.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void each(const struct addr *a, void *context)
{
	struct addr *first = context;

	if (!first->len)
		*first = *a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct addr first = { 0 }, again = { 0 };
	char text[256], why[256], back[ADDR_TEXT_MAX];
	uint64_t value;

	if (size >= sizeof text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	quantity_duration(text, &value);
	quantity_size(text, &value);
	if (addr_parse(text, each, &first, why, sizeof why))
		return 0;
	addr_format(&first, back);
	if (strchr(back, '?'))
		return 0; /* control characters are not written back */
	if (addr_parse(back, each, &again, why, sizeof why) || addr_group(&first, &again) != 0)
		abort();
	return 0;
}
