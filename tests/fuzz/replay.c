/*
 * replay: feeds files to a fuzz target once, without a fuzzer: `make replay` runs each corpus so.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Content in a block of its exact size, so that the sanitizer sees a step too far. */
static uint8_t *read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	long size;

	if (!f)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) >= 0) {
		rewind(f);
		data = malloc(size > 0 ? (size_t)size : 1);
		*len = data ? fread(data, 1, (size_t)size, f) : 0;
	}
	fclose(f);
	return data;
}

int main(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++) {
		size_t len = 0;
		uint8_t *data = read_file(argv[i], &len);

		if (!data) {
			fprintf(stderr, "replay: cannot read %s\n", argv[i]);
			return 1;
		}
		LLVMFuzzerTestOneInput(data, len);
		free(data);
	}
	printf("%s: %d inputs\n", argv[0], argc - 1);
	return 0;
}
