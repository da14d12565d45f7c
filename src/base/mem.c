/* The arena: blocks that double, freed together. */
#include "mem.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct arena_block {
	struct arena_block *next;
	size_t used, cap;
	_Alignas(max_align_t) char data[];
};

enum { FIRST_BLOCK = 8192, DEFAULT_MAX = 64 << 20 };

static void *take(struct arena *a, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	struct arena_block *b = a->head;
	size_t max = a->max ? a->max : DEFAULT_MAX, cap;
	char *p;

	if (size > max)
		return NULL;
	size = (size + align - 1) & ~(align - 1);
	if (size > max - a->total)
		return NULL;
	if (!b || b->cap - b->used < size) {
		cap = b ? b->cap * 2 : FIRST_BLOCK;
		if (cap < size)
			cap = size;
		b = malloc(sizeof *b + cap);
		if (!b)
			return NULL;
		b->next = a->head;
		b->used = 0;
		b->cap = cap;
		a->head = b;
	}
	p = b->data + b->used;
	b->used += size;
	a->total += size;
	return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
	void *p = take(a, size);

	return p ? memset(p, 0, size) : NULL;
}

void *arena_calloc(struct arena *a, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		return NULL;
	return arena_alloc(a, total);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = n < SIZE_MAX ? take(a, n + 1) : NULL;

	if (!p)
		return NULL;
	p[n] = '\0';
	return memcpy(p, s, n);
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	char most[256], *p;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(most, sizeof most, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof most)
		return arena_strndup(a, most, (size_t)n);
	p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void arena_done(struct arena *a)
{
	struct arena_block *b = a->head, *next;

	for (; b; b = next) {
		next = b->next;
		free(b);
	}
	a->head = NULL;
	a->total = 0;
}
