/*
 * What has been told of one task's events: goes on record (cursors.h) when a
 * subscriber has them, and is forgotten when the task is gone and all is told. Who is
 * killed before tells the rest the next time.
 */
#pragma once

#include <stdbool.h>

#include "bus.h"

struct cursors;
struct told;

struct told_list {
	struct cursors *cursors;
	struct bus *bus;
	struct told **by_row; /* NULL: there is none for it */
	int n_rows;
	bool over;
};

/* For a row of the table. NULL: no memory. */
struct told *told_new(struct told_list *l, int row);
/* Whether there is one for this row that has ended, and waits for somebody to tell. */
bool told_waits(const struct told_list *l, int row);
/* Publishes one; `t` may be NULL, then nothing goes on record. */
void told_publish(struct told_list *l, struct told *t, struct bus_event *ev, uint64_t number);
/* There are no more events: the row goes when they have been told. */
void told_end(struct told *t);
/* The daemon ends: what nobody has got by now the next one tells. */
void told_stop(struct told_list *l);
/* After that, when all who subscribed are gone: the rows stay. */
void told_free_all(struct told_list *l);
