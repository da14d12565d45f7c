/* Writing JSON. */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_text.h"
#include "mem.h"
#include "str.h"

void jw_init(struct jw *w, struct sb *b, const char *indent)
{
	*w = (struct jw){ .b = b, .indent = indent };
}

static void new_line(struct jw *w)
{
	if (!w->indent)
		return;
	sb_putc(w->b, '\n');
	for (unsigned i = 0; i < w->depth; i++)
		sb_puts(w->b, w->indent);
}

/* What stands in front of a value or key. */
static void before(struct jw *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (!w->depth)
		return;
	if (w->any[w->depth - 1])
		sb_putc(w->b, ',');
	w->any[w->depth - 1] = true;
	new_line(w);
}

void jw_begin(struct jw *w, char open)
{
	before(w);
	if (w->depth == JSON_MAX_DEPTH) {
		w->b->failed = true;
		return;
	}
	sb_putc(w->b, open);
	w->any[w->depth] = false;
	w->close[w->depth++] = open == '{' ? '}' : ']';
}

void jw_end(struct jw *w)
{
	bool any;

	if (!w->depth)
		return;
	any = w->any[--w->depth];
	if (any)
		new_line(w);
	sb_putc(w->b, w->close[w->depth]);
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void escape(struct sb *b, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *p = c ? strchr(from, c) : NULL;

	if (p) {
		char two[2] = { '\\', to[p - from] };

		sb_add(b, two, 2);
	} else {
		sb_printf(b, "\\u%04x", c);
	}
}

static void quote(struct sb *b, const char *str, size_t len)
{
	const unsigned char *s = (const unsigned char *)str;
	size_t i = 0;

	sb_putc(b, '"');
	while (i < len) {
		size_t from = i, n;

		while (i < len && is_plain(s[i]))
			i++;
		if (i > from)
			sb_add(b, str + from, i - from);
		if (i == len)
			break;
		n = utf8_len(str + i, len - i);
		if (n > 1)
			sb_add(b, str + i, n);
		else if (n == 1)
			escape(b, s[i]);
		else
			sb_puts(b, "\\ufffd");
		i += n ? n : 1;
	}
	sb_putc(b, '"');
}

void jw_key(struct jw *w, const char *key)
{
	before(w);
	quote(w->b, key, strlen(key));
	sb_putc(w->b, ':');
	if (w->indent)
		sb_putc(w->b, ' ');
	w->after_key = true;
}

void jw_strn(struct jw *w, const char *s, size_t len)
{
	before(w);
	quote(w->b, s, len);
}

void jw_str(struct jw *w, const char *s)
{
	if (s)
		jw_strn(w, s, strlen(s));
	else
		jw_null(w);
}

void jw_int(struct jw *w, int64_t v)
{
	before(w);
	sb_printf(w->b, "%" PRId64, v);
}

void jw_uint(struct jw *w, uint64_t v)
{
	before(w);
	sb_printf(w->b, "%" PRIu64, v);
}

void jw_double(struct jw *w, double v)
{
	char s[40];

	if (!isfinite(v)) {
		jw_null(w);
		return;
	}
	before(w);
	/* The shortest form that reads back the same, nearly always. */
	snprintf(s, sizeof s, "%.15g", v);
	if (strtod(s, NULL) != v)
		snprintf(s, sizeof s, "%.17g", v);
	sb_puts(w->b, s);
}

void jw_bool(struct jw *w, bool v)
{
	before(w);
	sb_puts(w->b, v ? "true" : "false");
}

void jw_null(struct jw *w)
{
	before(w);
	sb_puts(w->b, "null");
}

void jw_value(struct jw *w, const struct json *v)
{
	switch (v ? (enum json_type)v->type : JSON_NULL) {
	case JSON_NULL:
		jw_null(w);
		return;
	case JSON_BOOL:
		jw_bool(w, v->b);
		return;
	case JSON_INT:
		if (v->negative)
			jw_int(w, v->i);
		else
			jw_uint(w, v->u);
		return;
	case JSON_DOUBLE:
		before(w);
		sb_puts(w->b, v->s);
		return;
	case JSON_STRING:
		jw_strn(w, v->s, v->n);
		return;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	jw_begin(w, v->type == JSON_OBJECT ? '{' : '[');
	for (uint32_t i = 0; i < v->n; i++) {
		if (v->items[i].key)
			jw_key(w, v->items[i].key);
		jw_value(w, &v->items[i]);
	}
	jw_end(w);
}

void jw_kstr(struct jw *w, const char *key, const char *s)
{
	jw_key(w, key);
	jw_str(w, s);
}

void jw_kint(struct jw *w, const char *key, int64_t v)
{
	jw_key(w, key);
	jw_int(w, v);
}

void jw_kuint(struct jw *w, const char *key, uint64_t v)
{
	jw_key(w, key);
	jw_uint(w, v);
}

void jw_kbool(struct jw *w, const char *key, bool v)
{
	jw_key(w, key);
	jw_bool(w, v);
}

void jw_kbegin(struct jw *w, const char *key, char open)
{
	jw_key(w, key);
	jw_begin(w, open);
}

void jw_kstrs(struct jw *w, const char *key, char *const *strs, size_t n)
{
	jw_kbegin(w, key, '[');
	for (size_t i = 0; i < n; i++)
		jw_str(w, strs[i]);
	jw_end(w);
}

char *json_print(struct arena *a, const struct json *v)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	jw_value(&w, v);
	return b.failed || !b.s ? NULL : arena_strndup(a, b.s, b.len);
}
