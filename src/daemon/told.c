/* What has been told; see told.h. */
#include "told.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cursors.h"

struct due { /* an event that is published, until it is told */
	struct grpc_receipt receipt; /* first */
	struct told *of;
	struct due *prev, *next;
	uint64_t number;
};

struct told {
	struct told_list *list;
	int row;
	struct due *due, *last_due; /* in the order of their numbers */
	uint64_t number; /* the last that was published */
	bool ended;
};

static void told_free(struct told *t)
{
	t->list->by_row[t->row] = NULL;
	free(t);
}

static void forget_if_over(struct told *t)
{
	if (!t->ended || t->due)
		return;
	cursor_remove(t->list->cursors, t->row);
	told_free(t);
}

static void unlink_due(struct due *d)
{
	struct told *t = d->of;

	*(d->prev ? &d->prev->next : &t->due) = d->next;
	*(d->next ? &d->next->prev : &t->last_due) = d->prev;
}

/* Those before the first that is not told have been. */
static void on_told(struct grpc_receipt *r)
{
	struct due *d = (struct due *)r;
	struct told *t = d->of;
	uint64_t number;

	unlink_due(d);
	free(d);
	if (t->list->over)
		return;
	number = t->due ? t->due->number - 1 : t->number;
	if (number > cursor_at(t->list->cursors, t->row)->number)
		cursor_set(t->list->cursors, t->row, number);
	forget_if_over(t);
}

static struct told *find(const struct told_list *l, int row)
{
	return row < l->n_rows ? l->by_row[row] : NULL;
}

static int make_room(struct told_list *l, int row)
{
	int n = row < 2 * l->n_rows ? 2 * l->n_rows : row + 1;
	struct told **more;

	if (row < l->n_rows)
		return 0;
	more = realloc(l->by_row, (size_t)n * sizeof(struct told *));
	if (!more)
		return -ENOMEM;
	memset(more + l->n_rows, 0, (size_t)(n - l->n_rows) * sizeof(struct told *));
	l->by_row = more;
	l->n_rows = n;
	return 0;
}

struct told *told_new(struct told_list *l, int row)
{
	struct told *t = find(l, row);

	if (t) { /* a pod's shim has a task of that name again, or it was looked at in vain */
		t->ended = false;
		return t;
	}
	t = make_room(l, row) < 0 ? NULL : calloc(1, sizeof *t);
	if (!t)
		return NULL;
	t->list = l;
	t->row = row;
	l->by_row[row] = t;
	return t;
}

bool told_waits(const struct told_list *l, int row)
{
	const struct told *t = find(l, row);

	return t && t->ended;
}

/* NULL: there is no memory, or no row; then nothing goes on record. */
static struct due *due_new(struct told *t, uint64_t number)
{
	struct due *d = t ? calloc(1, sizeof *d) : NULL;

	if (!d)
		return NULL;
	d->receipt.told = on_told;
	d->of = t;
	d->number = t->number = number;
	d->prev = t->last_due;
	*(d->prev ? &d->prev->next : &t->due) = d;
	t->last_due = d;
	return d;
}

void told_publish(struct told_list *l, struct told *t, struct bus_event *ev, uint64_t number)
{
	struct due *d = due_new(t, number);

	ev->receipt = d ? &d->receipt : NULL;
	bus_publish(l->bus, ev);
}

void told_end(struct told *t)
{
	t->ended = true;
	forget_if_over(t);
}

void told_stop(struct told_list *l)
{
	l->over = true;
	bus_forget(l->bus);
}

void told_free_all(struct told_list *l)
{
	for (int row = 0; row < l->n_rows; row++)
		free(l->by_row[row]);
	free(l->by_row);
}
