/* A configuration from any bytes: complaints or a configuration, and both can be printed. */
#include "daemon/config/load.h"
#include "daemon/config/show.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *out;
	struct complaints complaints = { 0 };
	/* A folder that is not there: `include` finds nothing to read. */
	struct config *c =
		load_text("/no/such/folder/x.json", (const char *)data, size, &complaints);

	if (!out)
		out = fopen("/dev/null", "we");
	if (!out || !c == !complaints.count)
		abort(); /* one of both, and never both */
	complaints_print(&complaints, out);
	if (c)
		show_config(c, out);
	complaints_free(&complaints);
	config_unref(c);
	return 0;
}
