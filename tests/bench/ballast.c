/* Preloaded into a server: BALLAST_MB of touched memory, to see what a start costs in a big
 * process.  Only for measurements. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

__attribute__((constructor)) static void load(void)
{
	const char *mb = getenv("BALLAST_MB");
	size_t size = mb ? (size_t)atoi(mb) << 20 : 0;
	void *p;

	if (!size)
		return;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		abort();
	/* Small pages: that is what a grown heap has. */
	madvise(p, size, MADV_NOHUGEPAGE);
	memset(p, 1, size);
}
