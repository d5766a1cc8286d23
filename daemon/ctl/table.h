/* Rows of cells with aligned columns, for a terminal.  What would move its cursor is shown as '?'.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS 12

struct table {
	char *(*rows)[TABLE_COLUMNS]; /* owned, and each cell; the first row is the heading */
	size_t rows_count, rows_cap;
	size_t columns;
	bool right[TABLE_COLUMNS]; /* numbers stand at the right */
};

/* The heading: words between blanks; one that begins with '>' is of a column of numbers. */
void table_init(struct table *t, const char *heading);
void table_fini(struct table *t);

/* Begins a row; then its cells, from left to right, printf-like. */
void table_row(struct table *t);
void table_cell(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A row as a line, on the heap. */
char *table_line(const struct table *t, size_t row);

void table_print(const struct table *t, FILE *out);

#endif
