#include "daemon/ctl/table.h"

#include "daemon/base/mem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void table_row(struct table *t)
{
	t->rows = mem_reserve(t->rows, &t->rows_cap, t->rows_count + 1, sizeof *t->rows);
	memset(t->rows[t->rows_count++], 0, sizeof *t->rows);
}

static void put(struct table *t, char *text)
{
	char **row = t->rows[t->rows_count - 1];
	size_t i = 0;

	while (i < TABLE_COLUMNS && row[i])
		i++;
	if (i == TABLE_COLUMNS) {
		free(text);
		return;
	}
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	row[i] = text;
}

void table_cell(struct table *t, const char *format, ...)
{
	va_list ap;
	char *text;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = mem_dup("");
	va_end(ap);
	put(t, text);
}

void table_init(struct table *t, const char *heading)
{
	char *words = mem_dup(heading), *rest = words, *word;

	*t = (struct table){ 0 };
	table_row(t);
	while ((word = strsep(&rest, " "))) {
		t->right[t->columns] = *word == '>';
		table_cell(t, "%s", word + t->right[t->columns]);
		t->columns++;
	}
	free(words);
}

void table_fini(struct table *t)
{
	for (size_t i = 0; i < t->rows_count; i++)
		for (size_t k = 0; k < TABLE_COLUMNS; k++)
			free(t->rows[i][k]);
	free(t->rows);
}

static size_t width(const struct table *t, size_t column)
{
	size_t most = 0;

	for (size_t i = 0; i < t->rows_count; i++)
		if (t->rows[i][column] && strlen(t->rows[i][column]) > most)
			most = strlen(t->rows[i][column]);
	return most;
}

char *table_line(const struct table *t, size_t row)
{
	char *line = NULL;
	size_t len;
	FILE *out = open_memstream(&line, &len);

	for (size_t i = 0; i < t->columns; i++) {
		const char *cell = t->rows[row][i] ? t->rows[row][i] : "";
		int w = (int)width(t, i);

		if (t->right[i])
			fprintf(out, "%s%*s", i ? "  " : "", w, cell);
		else if (i + 1 < t->columns)
			fprintf(out, "%s%-*s", i ? "  " : "", w, cell);
		else
			fprintf(out, "%s%s", i ? "  " : "", cell);
	}
	fclose(out);
	return line;
}

void table_print(const struct table *t, FILE *out)
{
	for (size_t i = 0; i < t->rows_count; i++) {
		char *line = table_line(t, i);

		fprintf(out, "%s\n", line);
		free(line);
	}
}
