/* What has been told; see told.h. */
#include "told.h"

#include <stdlib.h>

#include "cursors.h"

struct told {
	struct bus_receipt receipt; /* first */
	struct told_list *list;
	struct told *next, **link;
	int row;
	unsigned due; /* receipts */
	bool ended;
};

static void told_free(struct told *t)
{
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	free(t);
}

static void forget_if_over(struct told *t)
{
	if (!t->ended || t->due)
		return;
	cursor_remove(t->list->cursors, t->row);
	told_free(t);
}

static void on_told(struct bus_receipt *r, uint64_t number)
{
	struct told *t = (struct told *)r;

	/* One that waited for somebody to come late may come after the next. */
	if (number > cursor_at(t->list->cursors, t->row)->number)
		cursor_set(t->list->cursors, t->row, number);
	t->due--;
	forget_if_over(t);
}

static struct told *find(const struct told_list *l, int row)
{
	struct told *t = l->first;

	while (t && t->row != row)
		t = t->next;
	return t;
}

struct told *told_new(struct told_list *l, int row)
{
	struct told *t = find(l, row);

	if (t) { /* a pod's shim has a task of that name again, or it was looked at in vain */
		t->ended = false;
		return t;
	}
	t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	t->receipt.told = on_told;
	t->list = l;
	t->row = row;
	t->link = &l->first;
	t->next = l->first;
	if (t->next)
		t->next->link = &t->next;
	l->first = t;
	return t;
}

bool told_waits(const struct told_list *l, int row)
{
	const struct told *t = find(l, row);

	return t && t->ended;
}

void told_publish(struct told_list *l, struct told *t, struct bus_event *ev, uint64_t number)
{
	if (t) {
		t->due++;
		ev->receipt = &t->receipt;
		ev->number = number;
	}
	bus_publish(l->bus, ev);
}

void told_end(struct told *t)
{
	t->ended = true;
	forget_if_over(t);
}

void told_free_all(struct told_list *l)
{
	struct told *next;

	for (struct told *t = l->first; t; t = next) {
		next = t->next;
		told_free(t);
	}
}
