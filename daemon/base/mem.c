#include "daemon/base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENA_BLOCK 16384

struct arena_block {
	struct arena_block *next;
	max_align_t data[];
};

static void *or_die(void *p)
{
	static const char why[] = "superd: out of memory\n";

	if (!p) {
		/* No stdio: it may want memory.  The result does not matter any more. */
		ssize_t ignored = write(2, why, sizeof why - 1);

		(void)ignored;
		_exit(111);
	}
	return p;
}

void *mem_new(size_t size)
{
	return or_die(calloc(1, size ? size : 1));
}

void *mem_array(size_t count, size_t size)
{
	return or_die(calloc(count ? count : 1, size));
}

void *mem_reserve(void *array, size_t *cap, size_t want, size_t size)
{
	size_t n = *cap ? *cap : 8;

	if (want <= *cap)
		return array;
	while (n < want)
		n *= 2;
	*cap = n;
	return or_die(reallocarray(array, n, size));
}

char *mem_dup(const char *text)
{
	return or_die(strdup(text));
}

char *mem_print(const char *format, ...)
{
	va_list ap;
	char *text = NULL;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	return or_die(n < 0 ? NULL : text);
}

void *arena_new(struct arena *a, size_t size)
{
	size_t need = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	char *p;

	if (!a->head || a->cap - a->used < need) {
		size_t cap = need > ARENA_BLOCK ? need : ARENA_BLOCK;
		struct arena_block *b = mem_new(sizeof *b + cap);

		b->next = a->head;
		a->head = b;
		a->used = 0;
		a->cap = cap;
	}
	p = (char *)a->head->data + a->used;
	a->used += need;
	return p;
}

char *arena_dup(struct arena *a, const char *text)
{
	size_t n = strlen(text) + 1;

	return memcpy(arena_new(a, n), text, n);
}

char *arena_print(struct arena *a, const char *format, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, format);
	n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (n < 0)
		or_die(NULL);
	text = arena_new(a, (size_t)n + 1);
	va_start(ap, format);
	vsnprintf(text, (size_t)n + 1, format, ap);
	va_end(ap);
	return text;
}

void arena_free(struct arena *a)
{
	while (a->head) {
		struct arena_block *b = a->head;

		a->head = b->next;
		free(b);
	}
	*a = (struct arena){ 0 };
}
