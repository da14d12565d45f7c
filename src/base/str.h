/*
 * A growable string with a maximum, and strict number parsing.
 *
 *	OWN_SB struct sb b = SB_INIT;
 *	sb_printf(&b, "%s/%s", dir, name);
 *	if (b.failed)
 *		return -ENOMEM;
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sb {
	char *s; /* NUL-terminated once anything was added; NULL before */
	size_t len, cap;
	bool failed; /* out of memory, or longer than SB_MAX: later adds do nothing */
};
#define SB_INIT { NULL, 0, 0, false }
#define SB_MAX ((size_t)64 << 20)

void sb_add(struct sb *b, const char *data, size_t len);
void sb_puts(struct sb *b, const char *s);
void sb_putc(struct sb *b, char c);
void sb_printf(struct sb *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void sb_done(struct sb *b);
#define OWN_SB __attribute__((cleanup(sb_done)))

/* Whole string, digits only (a leading '-' for parse_i64); no white space, no
 * '+', no overflow. 0 or -EINVAL / -ERANGE; *ret is written only on success. */
int parse_u64(const char *s, int base, uint64_t *ret);
int parse_i64(const char *s, int64_t *ret);
int parse_u32(const char *s, uint32_t *ret);
int parse_i32(const char *s, int32_t *ret);
/* "512", "10k", "64M", "1g", "2GiB", "100MB": bytes, powers of 1024 as docker. */
int parse_size(const char *s, uint64_t *ret);

static inline bool str_empty(const char *s)
{
	return !s || !*s;
}
bool str_eq(const char *a, const char *b); /* NULL equals NULL only */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* Bytes of the UTF-8 character at s: 1 to 4; 0: it is none. */
size_t utf8_len(const char *s, size_t left);
