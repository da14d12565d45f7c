/* Works on JSON text by walking it: finds lines and columns, leaves members out. */
#include "json_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "json.h"
#include "mem.h"

struct walk {
	const char *s;
	size_t len, pos;
};

static char at(const struct walk *w)
{
	return w->pos < w->len ? w->s[w->pos] : '\0';
}

static void skip_space(struct walk *w)
{
	while (w->pos < w->len && json_is_space(w->s[w->pos]))
		w->pos++;
}

static void skip_string(struct walk *w)
{
	for (w->pos++; w->pos < w->len && w->s[w->pos] != '"'; w->pos++)
		if (w->s[w->pos] == '\\')
			w->pos++;
	w->pos++;
}

static void skip_value(struct walk *w)
{
	unsigned depth = 0;

	do {
		char c;

		skip_space(w);
		c = at(w);
		if (c == '"') {
			skip_string(w);
		} else if (c && strchr("{[", c)) {
			depth++;
			w->pos++;
		} else if (c && strchr("}]", c)) {
			depth--;
			w->pos++;
		} else if (c && strchr(":,", c)) {
			w->pos++;
		} else {
			do
				w->pos++;
			while (w->pos < w->len && !strchr(" \t\r\n{}[]:,\"", w->s[w->pos]));
		}
	} while (depth && w->pos < w->len);
}

/* From the opening bracket to the first item; from an item to the next. */
static void enter(struct walk *w)
{
	skip_space(w);
	w->pos++;
	skip_space(w);
}

static void skip_key(struct walk *w)
{
	skip_string(w);
	skip_space(w);
	w->pos++; /* the colon */
	skip_space(w);
}

static void next_item(struct walk *w)
{
	skip_value(w);
	skip_space(w);
	w->pos++; /* the comma */
	skip_space(w);
}

/* Offset of a value: of its key, when it has one. */
static size_t find(const struct json_doc *doc, const struct json *v)
{
	struct walk w = { .s = doc->text, .len = doc->len };
	const struct json *path[JSON_MAX_DEPTH + 1];
	size_t n = 0;

	for (; v && v->parent && n < JSON_MAX_DEPTH; v = v->parent)
		path[n++] = v;
	skip_space(&w);
	while (n--) {
		size_t index = (size_t)(path[n] - path[n]->parent->items);

		enter(&w);
		for (size_t i = 0; i < index; i++) {
			if (path[n]->key)
				skip_key(&w);
			next_item(&w);
		}
		if (path[n]->key && n > 0)
			skip_key(&w);
	}
	return w.pos;
}

/* Line and column of an offset, from 1; a column is a character, not a byte. */
static void place(const struct json_doc *doc, size_t pos, int *line, int *column)
{
	*line = *column = 1;
	for (size_t i = 0; i < pos && i < doc->len; i++) {
		unsigned char c = (unsigned char)doc->text[i];

		if (c == '\n') {
			++*line;
			*column = 1;
		} else if ((c & 0xc0) != 0x80) {
			++*column;
		}
	}
}

int json_text_error(const struct json_doc *doc, size_t pos, struct err *e, const char *fmt, ...)
{
	char words[512];
	int line, column;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	place(doc, pos, &line, &column);
	return err_set(e, ERR_INVALID, 0, "%s:%d:%d: %s", doc->name, line, column, words);
}

void json_place(const struct json_doc *doc, const struct json *v, int *line, int *column)
{
	*line = *column = 0;
	if (v && doc && doc->text)
		place(doc, find(doc, v), line, column);
}

int json_line(const struct json_doc *doc, const struct json *v)
{
	int line, column;

	json_place(doc, v, &line, &column);
	return line;
}

/* ---- leaving members out ------------------------------------------------ */

struct copy {
	struct walk w;
	size_t from; /* what is before it is in the copy, or left out */
	char *to;
	const struct json_member *out;
};

static void copy_up_to_here(struct copy *c)
{
	memcpy(c->to, c->w.s + c->from, c->w.pos - c->from);
	c->to += c->w.pos - c->from;
	c->from = c->w.pos;
}

/* A text that ends too early is for the parser to say. */
static void pass_value(struct copy *c)
{
	skip_value(&c->w);
	if (c->w.pos > c->w.len)
		c->w.pos = c->w.len;
}

/* As it is written: one with escapes is another key, and stays. */
static bool is_written(const struct walk *w, const char *key)
{
	size_t n = strlen(key);

	return w->len - w->pos >= n + 2 && !memcmp(w->s + w->pos + 1, key, n) &&
	       w->s[w->pos + 1 + n] == '"';
}

/* The row that leaves out the key here, or one for something inside of it. */
static const struct json_member *row_of(const struct copy *c, const char *parent)
{
	for (const struct json_member *m = c->out; m->key; m++) {
		if (parent && (!m->below || strcmp(m->key, parent) != 0))
			continue;
		if (is_written(&c->w, parent ? m->below : m->key))
			return m;
	}
	return NULL;
}

static void copy_object(struct copy *c, const char *parent)
{
	enter(&c->w);
	while (at(&c->w) == '"') {
		const struct json_member *m = row_of(c, parent);

		skip_key(&c->w);
		if (c->w.pos > c->w.len)
			return;
		if (m && !parent && m->below && at(&c->w) == '{') {
			copy_object(c, m->key);
			skip_space(&c->w);
			if (at(&c->w) == '}')
				c->w.pos++;
		} else if (m && (parent || !m->below)) {
			copy_up_to_here(c);
			pass_value(c);
			if (c->w.pos - c->from > strlen("null")) {
				c->to = mempcpy(c->to, "null", strlen("null"));
				c->from = c->w.pos;
			}
		} else {
			pass_value(c);
		}
		skip_space(&c->w);
		if (at(&c->w) == ',') {
			c->w.pos++;
			skip_space(&c->w);
		}
	}
}

char *json_text_without(struct arena *a, const char *text, size_t len,
			const struct json_member *out, size_t *ret_len)
{
	struct copy c = { .w = { .s = text, .len = len }, .out = out };
	char *to = c.to = arena_alloc(a, len + 1);

	if (!to)
		return NULL;
	copy_object(&c, NULL);
	c.w.pos = len;
	copy_up_to_here(&c);
	*ret_len = (size_t)(c.to - to);
	return to;
}
