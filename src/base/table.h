/*
 * Columns of text, as Go's tabwriter lays them out in runc: at least twelve
 * wide, three blanks between, the last one as it comes.
 *
 *	struct table t = { .columns = 2 };
 *	table_cell(&t, a, "ID");
 *	table_print(&t, &out);
 */
#pragma once

#include <stddef.h>

struct arena;
struct sb;

struct table {
	size_t columns;
	size_t min_width; /* 0: 12 */
	const char **cells;
	size_t n, cap;
};

/* A row is complete when all its columns were added. Out of memory: -ENOMEM. */
int table_cell(struct table *t, struct arena *a, const char *text);
void table_print(const struct table *t, struct sb *out);
