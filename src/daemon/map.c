/* Maps in messages; see map.h. */
#include "map.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "filter.h"

enum { LABEL_MAX = 4096 };

static void entry_free(struct map_entry *e)
{
	protobuf_c_message_free_unpacked(&e->base, NULL);
}

struct came {
	struct map_entry *entry;
	size_t i;
};

static int by_key(const void *a, const void *b)
{
	const struct came *x = a, *y = b;
	int r = strcmp(x->entry->key, y->entry->key);

	return r ? r : (x->i > y->i) - (x->i < y->i);
}

int map_tidy(struct map *m)
{
	struct came *all = calloc(m->n + 1, sizeof *all);
	size_t n = 0;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < m->n; i++)
		all[i] = (struct came){ m->entries[i], i };
	qsort(all, m->n, sizeof *all, by_key);
	for (size_t i = 0; i < m->n; i++) {
		if (i + 1 < m->n && !strcmp(all[i].entry->key, all[i + 1].entry->key))
			entry_free(all[i].entry);
		else
			m->entries[n++] = all[i].entry;
	}
	m->n = n;
	free(all);
	return 0;
}

int map_tidy_labels(struct map *m)
{
	int r = map_tidy(m);
	size_t n = 0;

	for (size_t i = 0; r >= 0 && i < m->n; i++) {
		if (*(char *)m->entries[i]->value)
			m->entries[n++] = m->entries[i];
		else
			entry_free(m->entries[i]);
	}
	if (r >= 0)
		m->n = n;
	return r;
}

const char *map_label(const struct map *m, const char *const *path, size_t n)
{
	for (size_t i = 0; i < m->n; i++)
		if (filter_is_key(path, n, m->entries[i]->key))
			return m->entries[i]->value;
	return NULL;
}

/* Where it is, or belongs. */
static size_t place(const struct map *m, const char *key, bool *is_there)
{
	size_t from = 0, to = m->n;

	while (from < to) {
		size_t i = (from + to) / 2;

		if (strcmp(m->entries[i]->key, key) < 0)
			from = i + 1;
		else
			to = i;
	}
	*is_there = from < m->n && !strcmp(m->entries[from]->key, key);
	return from;
}

static struct map_entry *take_at(struct map *m, size_t i)
{
	struct map_entry *e = m->entries[i];

	m->n--;
	memmove(m->entries + i, m->entries + i + 1, (m->n - i) * sizeof(struct map_entry *));
	return e;
}

int map_move(struct map *to, struct map *from, const char *key)
{
	bool is_given, is_there;
	size_t given = place(from, key, &is_given), i = place(to, key, &is_there);
	struct map_entry **more;

	if (!is_given) {
		if (is_there)
			entry_free(take_at(to, i));
		return 0;
	}
	if (is_there) {
		entry_free(to->entries[i]);
	} else {
		more = realloc(to->entries, (to->n + 1) * sizeof(struct map_entry *));
		if (!more)
			return -ENOMEM;
		to->entries = more;
		memmove(more + i + 1, more + i, (to->n++ - i) * sizeof(struct map_entry *));
	}
	to->entries[i] = take_at(from, given);
	return 0;
}

void map_swap(struct map *a, struct map *b)
{
	struct map c = *a;

	*a = *b;
	*b = c;
}

int map_check_labels(const struct map *m, const char *what, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		const char *key = m->entries[i]->key;

		if (strlen(key) + strlen(m->entries[i]->value) > LABEL_MAX)
			return err_set(e, ERR_INVALID, 0,
				       "%s: label key and value greater than maximum size (%d bytes), key: %.10s", what,
				       LABEL_MAX, key);
	}
	return 0;
}
