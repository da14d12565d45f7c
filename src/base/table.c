/* Columns of text. */
#include "table.h"

#include <errno.h>
#include <string.h>

#include "mem.h"
#include "str.h"

enum { MIN_WIDTH = 12, PADDING = 3 };

int table_cell(struct table *t, struct arena *a, const char *text)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		const char **cells = arena_calloc(a, cap, sizeof *cells);

		if (!cells)
			return -ENOMEM;
		if (t->n)
			memcpy(cells, t->cells, t->n * sizeof *cells);
		t->cells = cells;
		t->cap = cap;
	}
	t->cells[t->n++] = text ? text : "";
	return 0;
}

static size_t width_of(const struct table *t, size_t column)
{
	size_t width = t->min_width ? t->min_width : MIN_WIDTH;

	for (size_t i = column; i < t->n; i += t->columns) {
		size_t len = strlen(t->cells[i]) + PADDING;

		if (len > width)
			width = len;
	}
	return width;
}

void table_print(const struct table *t, struct sb *out)
{
	for (size_t i = 0; i < t->n; i++) {
		size_t column = i % t->columns;

		if (column + 1 < t->columns)
			sb_printf(out, "%-*s", (int)width_of(t, column), t->cells[i]);
		else
			sb_printf(out, "%s\n", t->cells[i]);
	}
}
