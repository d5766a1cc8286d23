#include "daemon/ctl/proc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void take_name(const char *text, char out[32])
{
	const char *from = strchr(text, '('), *to = strrchr(text, ')');
	size_t n = from && to ? (size_t)(to - from - 1) : 0;

	if (n > 31)
		n = 31;
	memcpy(out, from ? from + 1 : "", n);
	out[n] = '\0';
}

bool proc_read(pid_t pid, struct proc *out)
{
	uint64_t user, system, pages, per_s = (uint64_t)sysconf(_SC_CLK_TCK);
	char path[64], text[1024];
	const char *rest;
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	/* The name may have anything in it, so the fields are counted from its end. */
	rest = strrchr(text, ')');
	if (!rest || sscanf(rest,
			     ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
			     " %*d %*d %*d %*d %*d %*d %*u %*u %" SCNu64,
			     &out->state, &user, &system, &pages) != 4)
		return false;
	take_name(text, out->name);
	out->cpu_ms = (user + system) * 1000 / per_s;
	out->memory_kb = pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
	return true;
}
