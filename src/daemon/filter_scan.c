/*
 * The scanner of containerd's filters, character for character: what it takes, what it
 * refuses, and the place that its errors name.
 */
#include "filter_scan.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "mem.h"
#include "str.h"

enum { REPLACEMENT = 0xfffd };

/* ---- characters -------------------------------------------------------------- */

static int32_t decode(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;

	switch (n) {
	case 1:
		return u[0];
	case 2:
		return (u[0] & 0x1f) << 6 | (u[1] & 0x3f);
	case 3:
		return (u[0] & 0xf) << 12 | (u[1] & 0x3f) << 6 | (u[2] & 0x3f);
	default:
		return (u[0] & 7) << 18 | (u[1] & 0x3f) << 12 | (u[2] & 0x3f) << 6 | (u[3] & 0x3f);
	}
}

static bool is_space(int32_t c)
{
	return (c >= '\t' && c <= '\r') || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static bool is_field(int32_t c)
{
	return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_operator(int32_t c)
{
	return c == '=' || c == '!' || c == '~';
}

static bool is_quote(int32_t c)
{
	return c == '/' || c == '|' || c == '"';
}

/* How much of it is letters, marks, numbers, punctuation and symbols of any script:
 * PCRE2 has the tables. */
static size_t graphic(const char *s, size_t n)
{
	static const char class[] = "\\A[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}]++";
	pcre2_match_data *m = pcre2_match_data_create(1, NULL);
	pcre2_code *re;
	size_t at, found = 0;
	int code;

	re = pcre2_compile((PCRE2_SPTR) class, sizeof class - 1, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &code, &at, NULL);
	if (m && re && pcre2_match(re, (PCRE2_SPTR)s, n, 0, 0, m, NULL) > 0)
		found = pcre2_get_ovector_pointer(m)[1];
	pcre2_match_data_free(m);
	pcre2_code_free(re);
	return found;
}

/* ---- scanning ---------------------------------------------------------------- */

static void error(struct scanner *s, const char *words)
{
	if (!s->error)
		s->error = words;
}

static int32_t next(struct scanner *s)
{
	size_t n;
	int32_t c;

	if (s->pos >= s->len)
		return TOKEN_EOF;
	s->pos = s->ppos;
	if (s->pos == s->len)
		return TOKEN_EOF;
	n = utf8_len(s->input + s->pos, s->len - s->pos);
	c = n ? decode(s->input + s->pos, n) : REPLACEMENT;
	s->ppos += n ? n : 1;
	if (c == REPLACEMENT || !c) {
		error(s, c ? "rune error" : "unexpected null");
		return TOKEN_ILLEGAL;
	}
	return c;
}

int32_t scan_peek(struct scanner *s)
{
	size_t pos = s->pos, ppos = s->ppos;
	int32_t c = next(s);

	s->pos = pos;
	s->ppos = ppos;
	return c;
}

static void scan_value(struct scanner *s)
{
	const char *from = s->input + s->ppos, *to = from, *end = s->input + s->len, *stop;

	while (to<end && * to> ' ' && *to < 0x7f && *to != ',')
		to++;
	if (to < end && (*to & 0x80)) {
		end = to + graphic(to, (size_t)(end - to));
		stop = memchr(to, ',', (size_t)(end - to));
		end = stop ? stop : end;
		stop = memmem(to, (size_t)(end - to), "\xef\xbf\xbd", 3); /* U+FFFD: illegal */
		to = stop ? stop : end;
	}
	if (to > from) {
		s->pos = s->ppos;
		s->ppos += (size_t)(to - from);
	}
}

static int digit(int32_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

static bool scan_digits(struct scanner *s, int32_t *c, int base, int n)
{
	for (; n > 0 && digit(*c) < base; n--)
		*c = next(s);
	if (n > 0)
		error(s, "illegal numeric escape sequence");
	return n <= 0;
}

/* *c is what comes behind it afterwards. */
static bool scan_escape(struct scanner *s, int32_t quote, int32_t *c)
{
	*c = next(s);
	if (*c == quote || (*c > 0 && *c < 0x80 && strchr("abfnrtv\\", *c))) {
		*c = next(s);
		return true;
	}
	if (*c >= '0' && *c <= '7')
		return scan_digits(s, c, 8, 3);
	if (*c == 'x' || *c == 'u' || *c == 'U') {
		int n = *c == 'x' ? 2 : *c == 'u' ? 4 : 8;

		*c = next(s);
		return scan_digits(s, c, 16, n);
	}
	error(s, "illegal escape sequence");
	return false;
}

static bool scan_quoted(struct scanner *s, int32_t quote)
{
	bool legal = true;
	int32_t c = next(s);

	while (c != quote) {
		if (c == '\n' || c < 0) {
			error(s, "quoted literal not terminated");
			return false;
		}
		if (c == '\\')
			legal &= scan_escape(s, quote, &c);
		else
			c = next(s);
	}
	return legal;
}

struct token scan(struct scanner *s)
{
	int32_t c = next(s), kind;
	size_t pos;

	while (c >= 0 && is_space(c))
		c = next(s);
	pos = s->pos;
	if (c < 0)
		return (struct token){ c, pos, "", 0 };
	if (is_quote(c)) {
		kind = scan_quoted(s, c) ? TOKEN_QUOTED : TOKEN_ILLEGAL;
	} else if (c == ',' || c == '.') {
		s->value = false;
		kind = TOKEN_SEPARATOR;
	} else if (is_operator(c)) {
		while (is_operator(scan_peek(s)))
			next(s);
		s->value = true;
		kind = TOKEN_OPERATOR;
	} else if (s->value) {
		scan_value(s);
		s->value = false;
		kind = TOKEN_VALUE;
	} else if (is_field(c)) {
		while (is_field(scan_peek(s)))
			next(s);
		kind = TOKEN_FIELD;
	} else {
		return (struct token){ c, pos, "", 0 };
	}
	return (struct token){ kind, pos, s->input + pos, s->ppos - pos };
}

/* ---- quotes ------------------------------------------------------------------ */

static size_t encode(int32_t c, char *to)
{
	if (c < 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = REPLACEMENT;
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* n digits, which the scanner has seen. */
static uint32_t digits(const char **s, int base, int n)
{
	uint32_t v = 0;

	for (; n; n--)
		v = v * (uint32_t)base + (uint32_t)digit(*(*s)++);
	return v;
}

/* The escape behind a backslash: its bytes, 0 when it is none. */
static size_t unescape(const char **s, char *to)
{
	static const char names[] = "abfnrtv", means[] = "\a\b\f\n\r\t\v";
	const char *found;
	uint32_t v;
	char c = *(*s)++;

	found = strchr(names, c);
	if (found) {
		*to = means[found - names];
		return 1;
	}
	switch (c) {
	case 'x':
		*to = (char)digits(s, 16, 2); /* a byte, whatever UTF-8 says */
		return 1;
	case 'u':
	case 'U':
		v = digits(s, 16, c == 'u' ? 4 : 8);
		return v > 0x10ffff ? 0 : encode((int32_t)v, to);
	default:
		if (c < '0' || c > '7') { /* the quote, or a backslash */
			*to = c;
			return 1;
		}
		--*s;
		v = digits(s, 8, 3);
		*to = (char)v;
		return v > 255 ? 0 : 1;
	}
}

/* No escape is shorter than what it stands for. */
char *scan_unquote(struct arena *a, const struct token *t, size_t *ret_len)
{
	const char *s = t->text + 1, *end = t->text + t->len - 1;
	char *out = arena_alloc(a, t->len), *to = out;
	size_t n;

	while (out && s < end) {
		if (*s != '\\') {
			*to++ = *s++;
			continue;
		}
		s++;
		n = unescape(&s, to);
		if (!n)
			return NULL;
		to += n;
	}
	*ret_len = out ? (size_t)(to - out) : 0;
	return out;
}
