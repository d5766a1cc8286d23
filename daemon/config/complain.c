#include "daemon/config/complain.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static char *print_list(struct arena *a, const char *format, va_list ap)
{
	va_list again;
	char *text;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	text = arena_new(a, n < 0 ? 1 : (size_t)n + 1);
	if (n > 0)
		vsnprintf(text, (size_t)n + 1, format, ap);
	return text;
}

void complain(struct complaints *c, const char *file, unsigned line, unsigned column,
	const char *format, ...)
{
	va_list ap;
	char *text;

	va_start(ap, format);
	text = print_list(&c->arena, format, ap);
	va_end(ap);
	c->list = mem_reserve(c->list, &c->cap, c->count + 1, sizeof *c->list);
	/* Many complaints, few files: the name is kept once for each run of them. */
	if (c->count && strcmp(c->list[c->count - 1].file, file) == 0)
		file = c->list[c->count - 1].file;
	else
		file = arena_dup(&c->arena, file);
	c->list[c->count++] = (struct complaint){ file, line, column, text };
}

static int by_place(const void *left, const void *right)
{
	const struct complaint *a = left, *b = right;
	int order = strcmp(a->file, b->file);

	if (order == 0 && a->line != b->line)
		order = a->line < b->line ? -1 : 1;
	if (order == 0 && a->column != b->column)
		order = a->column < b->column ? -1 : 1;
	return order ? order : strcmp(a->text, b->text);
}

static char *format_one(const struct complaint *c)
{
	char *line = c->line ? mem_print("%s:%u:%u: %s", c->file, c->line, c->column, c->text)
			     : mem_print("%s: %s", c->file, c->text);

	/* The text quotes the file, and the file may hold what a terminal would act on. */
	for (char *p = line; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	return line;
}

void complaints_each(
	struct complaints *c, void (*each)(const char *line, void *context), void *context)
{
	if (c->count)
		qsort(c->list, c->count, sizeof *c->list, by_place);
	for (size_t i = 0; i < c->count; i++) {
		char *line;

		/* What `defaults` got wrong is found again in every service: said once. */
		if (i && by_place(&c->list[i - 1], &c->list[i]) == 0)
			continue;
		line = format_one(&c->list[i]);
		each(line, context);
		free(line);
	}
}

static void print(const char *line, void *out)
{
	fprintf(out, "%s\n", line);
}

void complaints_print(struct complaints *c, FILE *out)
{
	complaints_each(c, print, out);
}

void complaints_free(struct complaints *c)
{
	free(c->list);
	arena_free(&c->arena);
	*c = (struct complaints){ 0 };
}
