/*
 * containerd's filter language: which containers, tasks, namespaces, leases, plugins
 * or events a client means.
 *
 *	labels."com.example/x"==y,id~=^web	both
 *	topic~=|^/tasks/|			a quoted regular expression
 *	labels.x				there is such a field
 *	image!=x				also where there is no such field
 *
 * Of several filters one has to match. A pure function of its texts.
 *
 * Grammar, errors and what matches are containerd 1.6's. What a field without a value
 * is to an operator, too: the empty text, but not equal to anything. An expression that
 * does not compile matches nothing, there as here.
 *
 * Regular expressions are RE2's there and PCRE2's here, after a translation that leaves
 * only what RE2 has, with its meaning (filter_regex.h). Differences are known in what
 * nobody writes: a repeat behind flags, a(?i)*, repeats the 250th group within another,
 * and categories of characters, which are those of PCRE2's version of Unicode. Matching
 * has limits of steps and memory, which RE2 needs none of; an expression that reaches
 * one has not matched, and is not tried again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;
struct filter;

enum {
	FILTER_TEXTS_MAX = 256 << 10, /* bytes, all together */
	FILTER_EXPRESSION_MAX = 4096,
};

/* No texts at all match everything. ERR_INVALID names the text and the place in it. */
int filter_parse(const char *const *texts, size_t n, struct filter **ret, struct err *e);
void filter_free(struct filter *f); /* NULL is fine */

/* The value of a field, `path` being its n parts; NULL: there is none. */
typedef const char *filter_field(void *ctx, const char *const *path, size_t n);

bool filter_match(const struct filter *f, filter_field *field, void *ctx);

/* Whether the parts, with dots between them, are that key: for maps, where labels.a.b
 * is the label "a.b". */
bool filter_is_key(const char *const *path, size_t n, const char *key);
