/*
 * Memory: an arena for everything that belongs to one document or request, and
 * owning declarations for the rest.
 *
 *	OWN_ARENA struct arena a = ARENA_INIT;
 *	char *copy = arena_strdup(&a, name);	// NULL: out of memory
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

struct arena_block;
struct arena {
	struct arena_block *head;
	size_t total; /* bytes handed out */
	size_t max;   /* 0: the default of 64 MiB */
};
#define ARENA_INIT { NULL, 0, 0 }

/* Zeroed memory, aligned for any type. NULL when memory or the maximum ends. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_calloc(struct arena *a, size_t n, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void arena_done(struct arena *a);
#define OWN_ARENA __attribute__((cleanup(arena_done)))

static inline void free_charp(char **p)
{
	free(*p);
}
#define OWN_STR __attribute__((cleanup(free_charp))) char *

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
