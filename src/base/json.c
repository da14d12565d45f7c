/*
 * Reading JSON: from the text to a tree in an arena, in one pass, without a heap
 * but for the stack of values whose array or object has not ended yet. Strict,
 * as json.h says; the first thing that is wrong ends it.
 */
#include "json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "err.h"
#include "json_text.h"
#include "mem.h"
#include "str.h"

/* A value that waits for the others of its array or object. */
struct part {
	struct json v;
	uint32_t pos, len; /* of its key in the text, with the quotes */
};

struct parse {
	struct arena *a;
	const char *text;
	size_t len, pos;
	unsigned depth;
	size_t values;
	struct part *parts;
	size_t n_parts, cap_parts;
	const char *why; /* what is wrong at `pos`; NULL: out of memory */
	size_t quote; /* so much of the text there is told with it */
};

static int bad(struct parse *p, const char *why)
{
	p->why = why;
	return -EINVAL;
}

static char peek(const struct parse *p)
{
	return p->pos < p->len ? p->text[p->pos] : '\0';
}

static void skip_space(struct parse *p)
{
	while (p->pos < p->len && json_is_space(p->text[p->pos]))
		p->pos++;
}

/* true, false, null: its length; 0: another word. */
static size_t word_len(const struct parse *p)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]);

		if (p->len - p->pos >= n && !memcmp(p->text + p->pos, words[i], n))
			return n;
	}
	return 0;
}

/* What is here cannot be here. Says so with `words`, or what it can nowhere be. */
static int wrong(struct parse *p, const char *words)
{
	char c = peek(p);

	if (p->pos >= p->len)
		return bad(p, "unexpected end of data");
	if (c == '\'')
		return bad(p, "a single quote: strings are in double quotes");
	if (c == '/' || c == '#')
		return bad(p, "comments are not allowed");
	if (((c | 32) >= 'a' && (c | 32) <= 'z'))
		return bad(p, word_len(p) ? words : "an unknown word: only true, false and null exist");
	if (!memchr("{}[]:,\"-0123456789", c, 18))
		return bad(p, "an unexpected character");
	return bad(p, words);
}

/* ---- strings ---------------------------------------------------------- */

static int hex4(const char *s, unsigned *ret)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		char c = s[i];

		if (c >= '0' && c <= '9')
			v = v * 16 + (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v * 16 + (unsigned)((c | 32) - 'a' + 10);
		else
			return -EINVAL;
	}
	*ret = v;
	return 0;
}

/* At the 'u' of \uXXXX; a high surrogate takes its other half with it. */
static int check_unicode(struct parse *p)
{
	unsigned v;

	if (p->len - p->pos < 5 || hex4(p->text + p->pos + 1, &v) < 0)
		return bad(p, "'\\u' without four hexadecimal digits");
	if (!v)
		return bad(p, "a string contains a NUL character");
	if (v >= 0xdc00 && v <= 0xdfff)
		return bad(p, "half of a surrogate pair");
	if (v >= 0xd800 && v <= 0xdbff) {
		if (p->len - p->pos < 11 || p->text[p->pos + 5] != '\\' ||
		    p->text[p->pos + 6] != 'u' || hex4(p->text + p->pos + 7, &v) < 0 ||
		    v < 0xdc00 || v > 0xdfff)
			return bad(p, "half of a surrogate pair");
		p->pos += 6;
	}
	p->pos += 5;
	return 0;
}

/* From quote to quote. Returns whether there are escapes in it. */
static int check_string(struct parse *p)
{
	int escapes = 0;

	for (p->pos++; p->pos < p->len;) {
		unsigned char c = (unsigned char)p->text[p->pos];
		size_t n = 1;

		if (c == '"') {
			p->pos++;
			return escapes;
		}
		if (c < 0x20)
			return bad(p, "a control character in a string");
		if (c >= 0x80)
			n = utf8_len(p->text + p->pos, p->len - p->pos);
		if (!n)
			return bad(p, "bytes in a string that are not UTF-8");
		p->pos += n;
		if (c != '\\')
			continue;
		escapes = 1;
		if (peek(p) == 'u') {
			int r = check_unicode(p);

			if (r < 0)
				return r;
		} else if (p->pos < p->len) {
			if (!memchr("\"\\/bfnrt", p->text[p->pos], 8))
				return bad(p, "unknown escape in a string");
			p->pos++;
		}
	}
	return bad(p, "a string does not end");
}

static size_t put_utf8(char *out, unsigned c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

/* The characters that escapes stand for are never longer than they. */
static size_t unescape(char *out, const char *s, const char *end)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *start = out, *c;
	unsigned u = 0, low = 0;

	while (s < end) {
		if (*s != '\\') {
			*out++ = *s++;
			continue;
		}
		s++;
		if (*s != 'u') {
			c = strchr(from, *s);
			*out++ = c ? to[c - from] : *s;
			s++;
			continue;
		}
		hex4(s + 1, &u);
		s += 5;
		if (u >= 0xd800 && u <= 0xdbff) {
			hex4(s + 2, &low);
			u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
			s += 6;
		}
		out += put_utf8(out, u);
	}
	return (size_t)(out - start);
}

static int parse_string(struct parse *p, const char **ret, uint32_t *ret_len)
{
	const char *s = p->text + p->pos + 1, *end;
	int escapes = check_string(p);
	char *out;

	if (escapes < 0)
		return escapes;
	end = p->text + p->pos - 1;
	*ret_len = (uint32_t)(end - s);
	*ret = out = arena_strndup(p->a, s, *ret_len);
	if (!out)
		return -ENOMEM;
	if (escapes) {
		*ret_len = (uint32_t)unescape(out, s, end);
		out[*ret_len] = '\0';
	}
	return 0;
}

/* ---- numbers ---------------------------------------------------------- */

static size_t skip_digits(struct parse *p)
{
	size_t from = p->pos;

	while (p->pos < p->len && p->text[p->pos] >= '0' && p->text[p->pos] <= '9')
		p->pos++;
	return p->pos - from;
}

/* Its digits; *whole: neither point nor exponent, and fits into 64 bits. */
static int check_number(struct parse *p, bool *whole)
{
	static const char most[] = "18446744073709551615", least[] = "9223372036854775808";
	bool negative = peek(p) == '-';
	size_t from, n;

	*whole = true;
	if (negative)
		p->pos++;
	from = p->pos;
	n = skip_digits(p);
	if (!n)
		return bad(p, "a number without digits");
	if (n > 1 && p->text[from] == '0') {
		p->pos = from;
		return bad(p, "a number with a leading zero");
	}
	if (peek(p) == '.') {
		*whole = false;
		p->pos++;
		if (!skip_digits(p))
			return bad(p, "a number without digits after the point");
	}
	if (peek(p) == 'e' || peek(p) == 'E') {
		*whole = false;
		p->pos++;
		if (peek(p) == '+' || peek(p) == '-')
			p->pos++;
		if (!skip_digits(p))
			return bad(p, "a number without digits in the exponent");
	}
	if (*whole) {
		const char *limit = negative ? least : most;
		size_t max = negative ? sizeof least - 1 : sizeof most - 1;

		if (n > max || (n == max && memcmp(p->text + from, limit, n) > 0)) {
			p->pos = from - negative;
			return bad(p, "a number that does not fit into 64 bits");
		}
	}
	return 0;
}

static int parse_number(struct parse *p, struct json *v)
{
	size_t from = p->pos;
	bool whole;
	int r = check_number(p, &whole);

	if (r < 0)
		return r;
	if (!whole) {
		v->type = JSON_DOUBLE;
		v->s = arena_strndup(p->a, p->text + from, p->pos - from);
		if (!v->s)
			return -ENOMEM;
		if (isfinite(strtod(v->s, NULL)))
			return 0;
		p->pos = from;
		return bad(p, "a number that does not fit into a double");
	}
	v->type = JSON_INT;
	for (size_t i = from; i < p->pos; i++)
		if (p->text[i] != '-')
			v->u = v->u * 10 + (uint64_t)(p->text[i] - '0');
	v->negative = p->text[from] == '-' && v->u;
	if (v->negative)
		v->i = (int64_t)(0 - v->u);
	return 0;
}

/* ---- arrays and objects ----------------------------------------------- */

static int parse_value(struct parse *p, struct json *v);

static int push(struct parse *p, const struct part *part)
{
	if (p->n_parts == p->cap_parts) {
		size_t cap = p->cap_parts ? p->cap_parts * 2 : 256;
		struct part *more = realloc(p->parts, cap * sizeof *more);

		if (!more)
			return -ENOMEM;
		p->parts = more;
		p->cap_parts = cap;
	}
	p->parts[p->n_parts++] = *part;
	return 0;
}

/* A value has come to where it stays. */
static void settle(struct json *v)
{
	if (v->type == JSON_ARRAY || v->type == JSON_OBJECT)
		for (uint32_t i = 0; i < v->n; i++)
			v->items[i].parent = v;
}

static int by_key(const void *x, const void *y)
{
	const struct part *a = x, *b = y;
	int r = strcmp(a->v.key, b->v.key);

	return r ? r : (a->pos > b->pos) - (a->pos < b->pos);
}

/* Mostly they are few, and qsort() moves them by memcpy() through a copy. */
static void sort_keys(struct part *parts, size_t n)
{
	if (n > 32) {
		qsort(parts, n, sizeof *parts, by_key);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		struct part this = parts[i];
		size_t at = i;

		for (; at > 0 && by_key(&this, &parts[at - 1]) < 0; at--)
			parts[at] = parts[at - 1];
		parts[at] = this;
	}
}

/* Of all keys that have been there before, the first in the text. */
static int check_keys(struct parse *p, struct part *parts, size_t n)
{
	const struct part *again = NULL;

	sort_keys(parts, n);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(parts[i].v.key, parts[i - 1].v.key) && (!again || parts[i].pos < again->pos))
			again = &parts[i];
	if (!again)
		return 0;
	p->pos = again->pos;
	p->quote = again->len;
	return bad(p, "duplicate key");
}

static int end_items(struct parse *p, struct json *v, size_t base)
{
	v->n = (uint32_t)(p->n_parts - base);
	v->items = arena_calloc(p->a, v->n, sizeof *v->items);
	if (!v->items)
		return -ENOMEM;
	for (uint32_t i = 0; i < v->n; i++) {
		v->items[i] = p->parts[base + i].v;
		settle(&v->items[i]);
	}
	p->n_parts = base;
	p->depth--;
	return v->type == JSON_OBJECT && v->n > 1 ? check_keys(p, p->parts + base, v->n) : 0;
}

static int parse_key(struct parse *p, struct part *part)
{
	uint32_t len;
	int r;

	if (peek(p) != '"')
		return wrong(p, peek(p) == '}' ? "unexpected character" : "quoted object property name expected");
	part->pos = (uint32_t)p->pos;
	r = parse_string(p, &part->v.key, &len);
	if (r < 0)
		return r;
	part->len = (uint32_t)p->pos - part->pos;
	skip_space(p);
	if (peek(p) != ':')
		return wrong(p, "object property name separator ':' expected");
	p->pos++;
	return 0;
}

/* At the opening bracket, which says what closes it. */
static int parse_items(struct parse *p, struct json *v)
{
	bool object = peek(p) == '{';
	char close = object ? '}' : ']';
	const char *no_comma = object ? "object value separator ',' expected" : "array value separator ',' expected";
	size_t base = p->n_parts;
	int r;

	if (++p->depth > JSON_MAX_DEPTH)
		return bad(p, "nested too deeply");
	v->type = object ? JSON_OBJECT : JSON_ARRAY;
	p->pos++;
	skip_space(p);
	while (p->n_parts > base || peek(p) != close) {
		struct part part = { 0 };

		r = object ? parse_key(p, &part) : 0;
		if (r == 0)
			r = parse_value(p, &part.v);
		if (r == 0)
			r = push(p, &part);
		if (r < 0)
			return r;
		skip_space(p);
		if (peek(p) == close)
			break;
		if (peek(p) != ',')
			return wrong(p, no_comma);
		p->pos++;
		skip_space(p);
	}
	p->pos++;
	return end_items(p, v, base);
}

static int parse_value(struct parse *p, struct json *v)
{
	char c;

	skip_space(p);
	if (++p->values > JSON_MAX_VALUES)
		return bad(p, "too many values");
	c = peek(p);
	if (c == '{' || c == '[')
		return parse_items(p, v);
	if (c == '"') {
		v->type = JSON_STRING;
		return parse_string(p, &v->s, &v->n);
	}
	if (c == '-' || (c >= '0' && c <= '9'))
		return parse_number(p, v);
	if (!word_len(p))
		return wrong(p, "unexpected character");
	p->pos += word_len(p);
	v->type = c == 'n' ? JSON_NULL : JSON_BOOL;
	v->b = c == 't';
	return 0;
}

/* ---- the door --------------------------------------------------------- */

int json_parse(struct arena *a, const char *text, size_t len, const char *name,
	       struct json_doc *ret, struct err *e)
{
	struct json_doc doc = { .name = name ? name : "json", .text = text, .len = len };
	struct parse p = { .a = a, .text = text, .len = len };
	struct json *root;
	int r;

	if (len > JSON_MAX_SIZE)
		return err_set(e, ERR_INVALID, 0, "%s: larger than %zu bytes", doc.name,
			       JSON_MAX_SIZE);
	doc.root = root = arena_alloc(a, sizeof *root);
	r = root ? parse_value(&p, root) : -ENOMEM;
	if (r == 0) {
		settle(root);
		skip_space(&p);
		r = p.pos < p.len ? wrong(&p, "unexpected character") : 0;
	}
	free(p.parts);
	if (r < 0 && !p.why)
		return err_set(e, ERR_INTERNAL, r, "read '%s'", doc.name);
	if (r < 0)
		return json_text_error(&doc, p.pos, e, "%s%s%.*s", p.why, p.quote ? " " : "",
				       p.quote > 100 ? 100 : (int)p.quote, text + p.pos);
	*ret = doc;
	return 0;
}
