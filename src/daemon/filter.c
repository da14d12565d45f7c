/* containerd's filters: the parser, and matching. */
#include "filter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "err.h"
#include "filter_regex.h"
#include "filter_scan.h"
#include "mem.h"
#include "str.h"

enum {
	STEPS_MAX = 50000, /* of matching a value, some milliseconds */
	DEPTH_MAX = 2000,
	HEAP_MAX_KIB = 1024,
};

enum operator { PRESENT, EQUAL, NOT_EQUAL, MATCHES };

struct selector {
	enum operator op;
	const char **path;
	size_t n_path, cap_path;
	bool nowhere; /* its path has a NUL: nothing has such a field */
	const char *value;
	size_t value_len;
	pcre2_code *re; /* NULL: it matches nothing */
	struct selector *next;
};

struct alternative {
	struct selector *first; /* all have to match; NULL: an empty text does always */
	struct alternative *next;
};

struct filter {
	struct arena arena;
	struct alternative *first;
	struct regex {
		pcre2_match_context *limits;
		pcre2_match_data *data;
	} regex;
};

struct parser {
	struct filter *filter;
	struct scanner scanner;
	struct err *e;
};

/* ---- errors ------------------------------------------------------------------ */

enum { AROUND = 300 }; /* bytes of a long text to either side */

/* The text with its place, as containerd writes it; of a long one what is around it. */
static int parse_error(struct parser *p, size_t pos, const char *words)
{
	const struct scanner *s = &p->scanner;
	size_t from = pos > AROUND ? pos - AROUND : 0, left;

	if (pos >= s->len) {
		from = s->len > AROUND ? s->len - AROUND : 0;
		return err_set(p->e, ERR_INVALID, 0, "filters: parse error: [%s%s]: %s", from ? "..." : "",
			       s->input + from, words);
	}
	left = s->len - pos - 1;
	return err_set(p->e, ERR_INVALID, 0, "filters: parse error: [%s%.*s >|%c|< %.*s%s]: %s", from ? "..." : "",
		       (int)(pos - from), s->input + from, s->input[pos], (int)(left > AROUND ? AROUND : left),
		       s->input + pos + 1, left > AROUND ? "..." : "", words);
}

static int no_memory(struct parser *p)
{
	return err_sys(p->e, -ENOMEM, "parse a filter");
}

/* ---- the parser -------------------------------------------------------------- */

static int unquote(struct parser *p, const struct token *t, bool alternative_quotes, const char **ret, size_t *ret_len)
{
	if (!alternative_quotes && t->text[0] != '"')
		return parse_error(p, t->pos, "invalid quote encountered");
	*ret = scan_unquote(&p->filter->arena, t, ret_len);
	return *ret ? 0 : parse_error(p, t->pos, "unquoting failed: quote syntax error");
}

static int keep(struct parser *p, const struct token *t, const char **ret, size_t *ret_len)
{
	*ret = arena_strndup(&p->filter->arena, t->text, t->len);
	*ret_len = t->len;
	return *ret ? 0 : no_memory(p);
}

static int field(struct parser *p, struct selector *s)
{
	struct token t = scan(&p->scanner);
	const char *name = NULL, **more;
	size_t len = 0;
	int r;

	if (t.kind == TOKEN_FIELD)
		r = keep(p, &t, &name, &len);
	else if (t.kind == TOKEN_QUOTED)
		r = unquote(p, &t, false, &name, &len);
	else
		r = parse_error(p, t.pos, t.kind == TOKEN_ILLEGAL ? p->scanner.error : "expected field or quoted");
	if (!name)
		return r;
	if (s->n_path == s->cap_path) {
		s->cap_path = s->cap_path ? s->cap_path * 2 : 4;
		more = arena_calloc(&p->filter->arena, s->cap_path, sizeof *more);
		if (!more)
			return no_memory(p);
		if (s->n_path)
			memcpy(more, s->path, s->n_path * sizeof *more);
		s->path = more;
	}
	s->path[s->n_path++] = name;
	s->nowhere |= strlen(name) != len;
	return 0;
}

static int operator(struct parser *p, struct selector *s)
{
	static const char *const names[] = { [EQUAL] = "==", [NOT_EQUAL] = "!=", [MATCHES] = "~=" };
	struct token t = scan(&p->scanner);
	char words[64];

	if (t.kind == TOKEN_ILLEGAL)
		return parse_error(p, t.pos, p->scanner.error);
	if (t.kind != TOKEN_OPERATOR)
		return parse_error(p, t.pos, "expected an operator (\"==\"|\"!=\"|\"~=\")");
	for (enum operator o = EQUAL; o <= MATCHES; o++) {
		if (t.len == 2 && !memcmp(t.text, names[o], 2)) {
			s->op = o;
			return 0;
		}
	}
	snprintf(words, sizeof words, "unsupported operator \"%.*s\"", (int)(t.len > 32 ? 32 : t.len), t.text);
	return parse_error(p, t.pos, words);
}

static int value(struct parser *p, struct selector *s)
{
	struct token t = scan(&p->scanner);

	if (t.kind == TOKEN_VALUE || t.kind == TOKEN_FIELD)
		return keep(p, &t, &s->value, &s->value_len);
	if (t.kind == TOKEN_QUOTED)
		return unquote(p, &t, s->op == MATCHES, &s->value, &s->value_len);
	return parse_error(p, t.pos, t.kind == TOKEN_ILLEGAL ? p->scanner.error : "expected value or quoted");
}

/* One that is none leaves no code, and matches nothing. */
static int compile(struct parser *p, struct selector *s)
{
	OWN_SB struct sb b = SB_INIT;
	pcre2_compile_context *c;
	size_t at;
	int code, r;

	r = s->value_len > FILTER_EXPRESSION_MAX ? -EINVAL : filter_regex(s->value, s->value_len, &b);
	if (r == -EINVAL)
		return 0;
	c = r < 0 ? NULL : pcre2_compile_context_create(NULL);
	if (!c)
		return no_memory(p);
	pcre2_set_newline(c, PCRE2_NEWLINE_LF);
	s->re = pcre2_compile((PCRE2_SPTR)(b.s ? b.s : ""), b.len,
			      PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_CIRCUMFLEX |
				      PCRE2_NO_AUTO_CAPTURE | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP,
			      &code, &at, c);
	pcre2_compile_context_free(c);
	return 0;
}

static int selector(struct parser *p, struct selector ***end)
{
	struct selector *s = arena_alloc(&p->filter->arena, sizeof *s);
	int32_t c;
	int r;

	if (!s)
		return no_memory(p);
	**end = s; /* at once: filter_free() finds what is compiled */
	*end = &s->next;
	r = field(p, s);
	while (r >= 0 && scan_peek(&p->scanner) == '.') {
		scan(&p->scanner);
		r = field(p, s);
	}
	if (r < 0)
		return r;
	c = scan_peek(&p->scanner);
	if (c == ',' || c == TOKEN_EOF)
		return 0;
	r = operator(p, s);
	if (r >= 0)
		r = value(p, s);
	return r < 0 || s->op != MATCHES ? r : compile(p, s);
}

static int selectors(struct parser *p, struct alternative *a)
{
	struct selector **end = &a->first;
	const struct scanner *s = &p->scanner;
	int r = selector(p, &end);
	char words[32];
	size_t len;
	int32_t c;

	while (r >= 0 && (c = scan_peek(&p->scanner)) != TOKEN_EOF) {
		if (c != ',') {
			len = utf8_len(s->input + s->ppos, s->len - s->ppos);
			snprintf(words, sizeof words, "unexpected input: %.*s", len ? (int)len : 3,
				 len ? s->input + s->ppos : "\xef\xbf\xbd");
			return parse_error(p, s->ppos, words);
		}
		scan(&p->scanner);
		r = selector(p, &end);
	}
	return r;
}

static int parse_all(struct parser *p, const char *const *texts, size_t n)
{
	struct alternative **end = &p->filter->first, *a;
	size_t total = 0, len;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		len = strlen(texts[i]);
		total += len;
		if (total > FILTER_TEXTS_MAX)
			return err_set(p->e, ERR_INVALID, 0, "filters: longer than %d bytes", FILTER_TEXTS_MAX);
		a = arena_alloc(&p->filter->arena, sizeof *a);
		if (!a)
			return no_memory(p);
		*end = a;
		end = &a->next;
		p->scanner = (struct scanner){ .input = texts[i], .len = len };
		if (len)
			r = selectors(p, a);
	}
	return r;
}

static int prepare(struct parser *p)
{
	struct regex *x = &p->filter->regex;

	x->limits = pcre2_match_context_create(NULL);
	x->data = pcre2_match_data_create(1, NULL);
	if (!x->limits || !x->data)
		return no_memory(p);
	pcre2_set_match_limit(x->limits, STEPS_MAX);
	pcre2_set_depth_limit(x->limits, DEPTH_MAX);
	pcre2_set_heap_limit(x->limits, HEAP_MAX_KIB);
	return 0;
}

int filter_parse(const char *const *texts, size_t n, struct filter **ret, struct err *e)
{
	struct parser p = { .filter = calloc(1, sizeof *p.filter), .e = e };
	int r;

	if (!p.filter)
		return no_memory(&p);
	r = prepare(&p);
	if (r >= 0)
		r = parse_all(&p, texts, n);
	if (r < 0)
		filter_free(p.filter);
	else
		*ret = p.filter;
	return r;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	for (struct alternative *a = f->first; a; a = a->next)
		for (struct selector *s = a->first; s; s = s->next)
			pcre2_code_free(s->re);
	pcre2_match_data_free(f->regex.data);
	pcre2_match_context_free(f->regex.limits);
	arena_done(&f->arena);
	free(f);
}

/* ---- matching ---------------------------------------------------------------- */

static bool matches(const struct regex *x, struct selector *s, const char *value)
{
	int r;

	if (!s->re)
		return false;
	r = pcre2_match(s->re, (PCRE2_SPTR)value, strlen(value), 0, 0, x->data, x->limits);
	if (r < 0 && r != PCRE2_ERROR_NOMATCH) { /* a limit: once is enough */
		pcre2_code_free(s->re);
		s->re = NULL;
	}
	return r >= 0;
}

static bool selected(const struct regex *x, struct selector *s, filter_field *fn, void *ctx)
{
	const char *got = s->nowhere ? NULL : fn(ctx, s->path, s->n_path), *text = got ? got : "";
	bool equal;

	if (s->op == PRESENT)
		return got;
	if (s->op == MATCHES)
		return matches(x, s, text);
	equal = strlen(text) == s->value_len && !memcmp(text, s->value, s->value_len);
	return s->op == EQUAL ? got && equal : !equal;
}

bool filter_match(const struct filter *f, filter_field *fn, void *ctx)
{
	bool all;

	for (const struct alternative *a = f->first; a; a = a->next) {
		all = true;
		for (struct selector *s = a->first; s && all; s = s->next)
			all = selected(&f->regex, s, fn, ctx);
		if (all)
			return true;
	}
	return !f->first;
}

bool filter_is_key(const char *const *path, size_t n, const char *key)
{
	size_t len;

	for (size_t i = 0; i < n; i++) {
		len = strlen(path[i]);
		if (strncmp(key, path[i], len))
			return false;
		key += len;
		if (i + 1 < n && *key++ != '.')
			return false;
	}
	return !*key;
}
