/* The words of a filter's text (filter.h). Private to filter*.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

/* Below 0, so that any other is a character that begins none of them. */
enum {
	TOKEN_EOF = -1,
	TOKEN_QUOTED = -2,
	TOKEN_VALUE = -3,
	TOKEN_FIELD = -4,
	TOKEN_SEPARATOR = -5,
	TOKEN_OPERATOR = -6,
	TOKEN_ILLEGAL = -7,
};

struct scanner {
	const char *input;
	size_t len;
	size_t pos, ppos; /* where the last character begins and ends */
	bool value; /* an operator was the last: what follows is a value */
	const char *error; /* the first one */
};

struct token {
	int32_t kind;
	size_t pos;
	const char *text;
	size_t len;
};

struct token scan(struct scanner *s);
int32_t scan_peek(struct scanner *s); /* the next character */

/* A quoted one without its quotes and escapes, in the arena; NULL: it is none, or no
 * memory. It may have a NUL. */
char *scan_unquote(struct arena *a, const struct token *t, size_t *ret_len);
