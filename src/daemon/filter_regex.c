/*
 * Go's regular expressions, which are RE2's, for PCRE2, which knows more of them and
 * means something else by some: whoever asks containerd gets the same from us, and
 * nothing gets in (references, look-around, (*VERBS)) of what makes PCRE2 slow.
 *
 * Literals go as they are; escapes become characters by number; the rest is written so
 * that PCRE2 has no second meaning for it. The rules are those of Go's regexp/syntax.
 */
#include "filter_regex.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "mem.h"
#include "str.h"

enum { REPEAT_MAX = 1000 };

struct regex {
	const char *s, *end;
	struct sb *out;
	bool repeated; /* the last that was written is a repeat */
};

static bool next_is(const struct regex *x, const char *what)
{
	size_t n = strlen(what);

	return (size_t)(x->end - x->s) >= n && !memcmp(x->s, what, n);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static int hex(const struct regex *x)
{
	char c = x->s < x->end ? *x->s : '\0';

	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- characters -------------------------------------------------------------- */

/* Behind "\x": two digits, or any number of them in braces; -1: neither. */
static int32_t hex_character(struct regex *x)
{
	bool braces = next_is(x, "{");
	int32_t c = 0;
	int n;

	x->s += braces;
	for (n = 0; (braces || n < 2) && hex(x) >= 0; n++, x->s++) {
		c = c * 16 + hex(x);
		if (c > 0x10ffff)
			return -1;
	}
	if (braces ? !n || !next_is(x, "}") : n != 2)
		return -1;
	x->s += braces;
	return c;
}

/* Behind a backslash, where it stands for one character; -1: it does not. */
static int32_t escaped(struct regex *x)
{
	static const char names[] = "afnrtv", means[] = "\a\f\n\r\t\v";
	const char *found;
	int32_t r;
	char c;

	if (x->s == x->end)
		return -1;
	c = *x->s++;
	if (c == 'x')
		return hex_character(x);
	found = c ? strchr(names, c) : NULL;
	if (found)
		return means[found - names];
	if (c >= '0' && c <= '7') {
		if (c != '0' && (x->s == x->end || *x->s < '0' || *x->s > '7'))
			return -1; /* a reference */
		r = c - '0';
		for (int n = 1; n < 3 && x->s < x->end && *x->s >= '0' && *x->s <= '7'; n++)
			r = r * 8 + (*x->s++ - '0');
		return r;
	}
	return (c & 0x80) || (is_word(c) && c != '_') ? -1 : c;
}

static void put_character(struct regex *x, int32_t c)
{
	sb_printf(x->out, "\\x{%x}", (unsigned)c);
}

/* One character as it stands, whole. */
static void put_literal(struct regex *x)
{
	size_t n = utf8_len(x->s, (size_t)(x->end - x->s));

	if (n == 1 && !is_word(*x->s))
		put_character(x, *x->s);
	else
		sb_add(x->out, x->s, n ? n : 1); /* what is no UTF-8 PCRE2 refuses, too */
	x->s += n ? n : 1;
}

/* ---- classes ----------------------------------------------------------------- */

/* At the 'p' of \pL, \p{^Greek}: a category has one letter or two, a script more. */
static int property(struct regex *x)
{
	bool negated = *x->s++ == 'P';
	const char *name = x->s, *end = name + 1;

	if (next_is(x, "{")) {
		name++;
		end = memchr(name, '}', (size_t)(x->end - name));
		if (!end)
			return -EINVAL;
		x->s = end + 1;
		if (*name == '^') {
			negated = !negated;
			name++;
		}
	} else if (x->s++ == x->end) {
		return -EINVAL;
	}
	for (const char *c = name; c < end; c++)
		if (!is_word(*c))
			return -EINVAL;
	if (end - name == 2 && !memcmp(name, "Cn", 2))
		return -EINVAL;
	sb_printf(x->out, "\\%c{%s%.*s}", negated ? 'P' : 'p',
		  end - name > 2 && (end - name != 3 || memcmp(name, "Any", 3)) ? "sc:" : "", (int)(end - name), name);
	return 0;
}

/* At the letter of \d, \S, ... or a property; 1: it was one. RE2's \s has no VT. */
static int set(struct regex *x, bool in_class)
{
	char c = x->s < x->end ? *x->s : '\0';
	int r;

	if (c == 'p' || c == 'P') {
		r = property(x);
		return r < 0 ? r : 1;
	}
	if (!c || !strchr("dDwWsS", c))
		return 0;
	x->s++;
	if (c == 's')
		sb_puts(x->out, in_class ? "\\t\\n\\f\\r\\x20" : "[\\t\\n\\f\\r\\x20]");
	else if (c == 'S')
		sb_puts(x->out, in_class ? "\\S\\x0b" : "[^\\t\\n\\f\\r\\x20]");
	else
		sb_printf(x->out, "\\%c", c);
	return 1;
}

/* [:alpha:] or [:^alpha:]; 1: it was one, 0: it is a bracket. */
static int named_class(struct regex *x)
{
	static const char *const names[] = { "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
					     "lower", "print", "punct", "space", "upper", "word", "xdigit" };
	const char *name = x->s + 2, *end;
	bool negated;

	if (!next_is(x, "[:"))
		return 0;
	end = memmem(name, (size_t)(x->end - name), ":]", 2);
	if (!end)
		return 0;
	negated = *name == '^';
	name += negated;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strlen(names[i]) == (size_t)(end - name) && !memcmp(names[i], name, (size_t)(end - name))) {
			sb_printf(x->out, "[:%s%s:]", negated ? "^" : "", names[i]);
			x->s = end + 2;
			return 1;
		}
	}
	return -EINVAL;
}

static int class_character(struct regex *x)
{
	int32_t c;

	if (x->s == x->end)
		return -EINVAL;
	if (*x->s != '\\') {
		put_literal(x);
		return 0;
	}
	x->s++;
	c = escaped(x);
	if (c < 0)
		return -EINVAL;
	put_character(x, c);
	return 0;
}

/* A set, or a character, or a range of them. */
static int class_item(struct regex *x)
{
	int r = named_class(x);

	if (r)
		return r;
	if (next_is(x, "\\")) {
		x->s++;
		r = set(x, true);
		if (r)
			return r;
		x->s--;
	}
	r = class_character(x);
	if (r >= 0 && x->end - x->s >= 2 && *x->s == '-' && x->s[1] != ']') {
		x->s++;
		sb_putc(x->out, '-');
		r = class_character(x);
	}
	return r;
}

static int class(struct regex *x)
{
	bool first = true;
	int r;

	sb_putc(x->out, *x->s++);
	if (next_is(x, "^"))
		sb_putc(x->out, *x->s++);
	for (; x->s < x->end && (*x->s != ']' || first); first = false) {
		r = class_item(x);
		if (r < 0)
			return r;
	}
	if (x->s == x->end)
		return -EINVAL;
	sb_putc(x->out, *x->s++);
	return 0;
}

/* ---- repeats and groups ------------------------------------------------------ */

static int repeat_number(struct regex *x)
{
	const char *from = x->s;
	int n = 0;

	while (x->s < x->end && is_digit(*x->s)) {
		n = n > REPEAT_MAX ? n : n * 10 + (*x->s - '0');
		x->s++;
	}
	return x->s == from || (x->s - from > 1 && *from == '0') ? -1 : n;
}

/* {n}, {n,} or {n,m}; 0: it is a brace, and not behind it. */
static int braces(struct regex *x)
{
	const char *from = x->s++;
	int min = repeat_number(x), max = min;

	if (min >= 0 && next_is(x, ",")) {
		x->s++;
		max = next_is(x, "}") ? REPEAT_MAX : repeat_number(x);
	}
	if (min < 0 || max < 0 || !next_is(x, "}")) {
		x->s = from;
		return 0;
	}
	if (min > REPEAT_MAX || max > REPEAT_MAX || min > max)
		return -EINVAL;
	x->s++;
	sb_add(x->out, from, (size_t)(x->s - from));
	return 1;
}

/* Two repeats in a row RE2 refuses; the second of them would mean something to PCRE2. */
static int repeat(struct regex *x)
{
	bool again = x->repeated;
	int r = 1;

	if (*x->s == '{')
		r = braces(x);
	else
		sb_putc(x->out, *x->s++);
	if (r == 0) {
		put_literal(x);
		x->repeated = false;
		return 0;
	}
	if (r < 0 || again)
		return -EINVAL;
	if (next_is(x, "?"))
		sb_putc(x->out, *x->s++);
	x->repeated = true;
	return 0;
}

/* An assertion, which PCRE2 does not repeat by itself. */
static void assertion(struct regex *x, const char *what)
{
	bool group = x->s < x->end && strchr("*+?{", *x->s) && *x->s;

	sb_printf(x->out, group ? "(?:%s)" : "%s", what);
}

/* (?flags), (?flags:, (?P<name>: no other. Names are for nobody here. */
static int group(struct regex *x)
{
	const char *at = x->s + 2;
	bool minus = false, flag = false;

	if (!next_is(x, "(?")) {
		sb_putc(x->out, *x->s++);
		return next_is(x, "*") ? -EINVAL : 0;
	}
	if (next_is(x, "(?P<")) {
		for (at += 2; at < x->end && is_word(*at); at++)
			;
		if (at == x->end || *at != '>' || at == x->s + 4)
			return -EINVAL;
		sb_puts(x->out, "(?:");
		x->s = at + 1;
		return 0;
	}
	for (; at < x->end && *at != ':' && *at != ')'; at++) {
		if (*at == '-' ? minus : !strchr("imsU", *at) || !*at)
			return -EINVAL;
		flag = *at != '-';
		minus |= *at == '-';
	}
	if (at == x->end || (minus && !flag))
		return -EINVAL;
	at++;
	sb_add(x->out, x->s, (size_t)(at - x->s));
	x->s = at;
	return 0;
}

/* ---- the expression ---------------------------------------------------------- */

static void quotation(struct regex *x)
{
	x->s++;
	while (x->s < x->end && !next_is(x, "\\E"))
		put_literal(x);
	x->s += x->s < x->end ? 2 : 0;
}

static int backslash(struct regex *x)
{
	static const char *const assertions[] = { "\\A", "\\b", "\\B", "\\z" };
	int32_t c;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(assertions); i++) {
		if (next_is(x, assertions[i])) {
			x->s += 2;
			assertion(x, assertions[i]);
			return 0;
		}
	}
	x->s++;
	if (next_is(x, "Q")) {
		quotation(x);
		return 0;
	}
	r = set(x, false);
	if (r)
		return r;
	c = escaped(x);
	if (c < 0)
		return -EINVAL;
	put_character(x, c);
	return 0;
}

static int item(struct regex *x)
{
	char c = *x->s;

	switch (c) {
	case '*':
	case '+':
	case '?':
	case '{':
		return repeat(x);
	default:
		break;
	}
	/* "\Q\E" writes nothing: what is in front of it stays the last */
	if (!next_is(x, "\\Q\\E"))
		x->repeated = false;
	switch (c) {
	case '(':
		return group(x);
	case '[':
		return class(x);
	case '\\':
		return backslash(x);
	case '^':
	case '$':
		x->s++;
		assertion(x, c == '^' ? "^" : "$");
		return 0;
	case '.':
	case '|':
	case ')':
		sb_putc(x->out, *x->s++);
		return 0;
	default:
		put_literal(x);
		return 0;
	}
}

int filter_regex(const char *s, size_t len, struct sb *out)
{
	struct regex x = { .s = s, .end = s + len, .out = out };
	int r = 0;

	while (r >= 0 && x.s < x.end)
		r = item(&x);
	if (r >= 0 && out->failed)
		r = -ENOMEM;
	return r < 0 ? r : 0;
}
