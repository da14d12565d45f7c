/*
 * Reading JSON. The only file that knows json-c. json-c checks the grammar;
 * the scan before it refuses what json-c lets through (NaN, single quotes,
 * raw control characters, bytes that are not UTF-8, leading zeros, saturating
 * numbers) and counts keys, so that a duplicate shows as a key that got lost.
 */
#include "json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* One of its type names is ours too. */
#define json_type json_c_type
#include <json-c/json.h>
#undef json_type

#include "err.h"
#include "json_text.h"
#include "mem.h"

struct scan {
	const char *text;
	size_t len, pos;
	unsigned depth;
	size_t tokens, keys;
	const char *why;
};

static int bad(struct scan *s, const char *why)
{
	s->why = why;
	return -EINVAL;
}

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
static int scan_unicode(struct scan *s)
{
	unsigned v;

	if (s->len - s->pos < 5 || hex4(s->text + s->pos + 1, &v) < 0)
		return bad(s, "'\\u' without four hexadecimal digits");
	if (!v)
		return bad(s, "a string contains a NUL character");
	if (v >= 0xdc00 && v <= 0xdfff)
		return bad(s, "half of a surrogate pair");
	if (v >= 0xd800 && v <= 0xdbff) {
		if (s->len - s->pos < 11 || s->text[s->pos + 5] != '\\' ||
		    s->text[s->pos + 6] != 'u' || hex4(s->text + s->pos + 7, &v) < 0 ||
		    v < 0xdc00 || v > 0xdfff)
			return bad(s, "half of a surrogate pair");
		s->pos += 6;
	}
	s->pos += 5;
	return 0;
}

static int scan_string(struct scan *s)
{
	size_t n;
	int r;

	for (s->pos++; s->pos < s->len;) {
		unsigned char c = (unsigned char)s->text[s->pos];

		if (c == '"') {
			s->pos++;
			return 0;
		}
		if (c < 0x20)
			return bad(s, "a control character in a string");
		/* json-c takes overlong forms and surrogates for UTF-8. */
		n = json_utf8_len(s->text + s->pos, s->len - s->pos);
		if (!n)
			return bad(s, "bytes in a string that are not UTF-8");
		s->pos += n;
		if (c != '\\')
			continue;
		if (s->pos < s->len && s->text[s->pos] == 'u') {
			r = scan_unicode(s);
			if (r < 0)
				return r;
		} else if (s->pos < s->len && s->text[s->pos] &&
			   strchr("\"\\/bfnrt", s->text[s->pos])) {
			s->pos++;
		} else if (s->pos < s->len) {
			return bad(s, "unknown escape in a string");
		}
	}
	return bad(s, "a string does not end");
}

static size_t scan_digits(struct scan *s)
{
	size_t from = s->pos;

	while (s->pos < s->len && s->text[s->pos] >= '0' && s->text[s->pos] <= '9')
		s->pos++;
	return s->pos - from;
}

static char peek(const struct scan *s)
{
	return s->pos < s->len ? s->text[s->pos] : '\0';
}

static int scan_number(struct scan *s)
{
	static const char most[] = "18446744073709551615", least[] = "9223372036854775808";
	bool negative = peek(s) == '-', whole = true;
	size_t from, n;

	if (negative)
		s->pos++;
	from = s->pos;
	n = scan_digits(s);
	if (!n)
		return bad(s, "a number without digits");
	if (n > 1 && s->text[from] == '0') {
		s->pos = from;
		return bad(s, "a number with a leading zero");
	}
	if (peek(s) == '.') {
		whole = false;
		s->pos++;
		if (!scan_digits(s))
			return bad(s, "a number without digits after the point");
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		whole = false;
		s->pos++;
		if (peek(s) == '+' || peek(s) == '-')
			s->pos++;
		if (!scan_digits(s))
			return bad(s, "a number without digits in the exponent");
	}
	if (whole) {
		const char *limit = negative ? least : most;
		size_t max = negative ? sizeof least - 1 : sizeof most - 1;

		if (n > max || (n == max && memcmp(s->text + from, limit, n) > 0)) {
			s->pos = from - negative;
			return bad(s, "a number that does not fit into 64 bits");
		}
	}
	return 0;
}

static int scan_word(struct scan *s)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]);

		if (s->len - s->pos >= n && !memcmp(s->text + s->pos, words[i], n)) {
			s->pos += n;
			return 0;
		}
	}
	return bad(s, "an unknown word: only true, false and null exist");
}

static int scan_token(struct scan *s, char c)
{
	if (c == '"') {
		s->tokens++;
		return scan_string(s);
	}
	if (c == '-' || (c >= '0' && c <= '9')) {
		s->tokens++;
		return scan_number(s);
	}
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
		s->tokens++;
		return scan_word(s);
	}
	switch (c) {
	case '{':
	case '[':
		s->tokens++;
		if (++s->depth > JSON_MAX_DEPTH)
			return bad(s, "nested too deeply");
		break;
	case '}':
	case ']':
		if (s->depth)
			s->depth--;
		break;
	case ':':
		s->keys++;
		break;
	case ',':
		break;
	case '\'':
		return bad(s, "a single quote: strings are in double quotes");
	case '/':
	case '#':
		return bad(s, "comments are not allowed");
	default:
		return bad(s, "an unexpected character");
	}
	s->pos++;
	return 0;
}

static int scan_all(struct scan *s)
{
	int r;

	while (s->pos < s->len) {
		char c = s->text[s->pos];

		if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
			s->pos++;
			continue;
		}
		r = scan_token(s, c);
		if (r < 0)
			return r;
	}
	if (s->tokens - s->keys > JSON_MAX_VALUES && s->tokens > s->keys)
		return bad(s, "too many values");
	return 0;
}

/* ---- from json-c's tree to ours --------------------------------------- */

struct convert {
	struct arena *a;
	size_t keys;
	const struct json *infinite; /* the first number beyond a double */
};

static int convert(struct convert *c, struct json_object *o, struct json *v);

static int convert_items(struct convert *c, struct json_object *o, struct json *v)
{
	v->n = (uint32_t)json_object_array_length(o);
	v->items = arena_calloc(c->a, v->n, sizeof *v->items);
	if (!v->items)
		return -ENOMEM;
	for (uint32_t i = 0; i < v->n; i++) {
		int r;

		v->items[i].parent = v;
		r = convert(c, json_object_array_get_idx(o, i), &v->items[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int convert_members(struct convert *c, struct json_object *o, struct json *v)
{
	struct json *m;
	int r;

	v->n = (uint32_t)json_object_object_length(o);
	c->keys += v->n;
	m = v->items = arena_calloc(c->a, v->n, sizeof *v->items);
	if (!m)
		return -ENOMEM;
	json_object_object_foreach(o, key, value)
	{
		m->parent = v;
		m->key = arena_strdup(c->a, key);
		r = m->key ? convert(c, value, m) : -ENOMEM;
		if (r < 0)
			return r;
		m++;
	}
	return 0;
}

static int convert_double(struct convert *c, struct json_object *o, struct json *v)
{
	const char *s = json_object_get_string(o);

	v->type = JSON_DOUBLE;
	v->s = s ? arena_strdup(c->a, s) : NULL;
	if (!isfinite(json_object_get_double(o)) && !c->infinite)
		c->infinite = v;
	return v->s ? 0 : -ENOMEM;
}

static int convert(struct convert *c, struct json_object *o, struct json *v)
{
	switch (json_object_get_type(o)) {
	case json_type_null:
		v->type = JSON_NULL;
		return 0;
	case json_type_boolean:
		v->type = JSON_BOOL;
		v->b = json_object_get_boolean(o);
		return 0;
	case json_type_int:
		v->type = JSON_INT;
		v->i = json_object_get_int64(o);
		v->negative = v->i < 0;
		if (!v->negative)
			v->u = json_object_get_uint64(o);
		return 0;
	case json_type_double:
		return convert_double(c, o, v);
	case json_type_string:
		v->type = JSON_STRING;
		v->n = (uint32_t)json_object_get_string_len(o);
		v->s = arena_strndup(c->a, json_object_get_string(o), v->n);
		return v->s ? 0 : -ENOMEM;
	case json_type_array:
		v->type = JSON_ARRAY;
		return convert_items(c, o, v);
	case json_type_object:
		v->type = JSON_OBJECT;
		return convert_members(c, o, v);
	}
	return -EINVAL;
}

/* ---- the door --------------------------------------------------------- */

static int read_tree(const struct json_doc *doc, struct json_object **ret, struct err *e)
{
	struct json_tokener *t = json_tokener_new_ex(JSON_MAX_DEPTH + 2);
	enum json_tokener_error te;
	struct json_object *o;
	size_t end;

	if (!t)
		return err_set(e, ERR_INTERNAL, -ENOMEM, "read '%s'", doc->name);
	json_tokener_set_flags(t, JSON_TOKENER_STRICT); /* the scan has seen to UTF-8 */
	o = json_tokener_parse_ex(t, doc->text, (int)doc->len);
	te = json_tokener_get_error(t);
	end = json_tokener_get_parse_end(t);
	if (te == json_tokener_continue) {
		/* A number at the very end is only complete when told so. */
		o = json_tokener_parse_ex(t, "", 1);
		te = json_tokener_get_error(t);
		end = doc->len;
	}
	json_tokener_free(t);
	if (te != json_tokener_success)
		return json_text_error(doc, end, e, "%s", json_tokener_error_desc(te));
	*ret = o;
	return 0;
}

static int duplicate_error(const struct json_doc *doc, struct err *e)
{
	size_t pos = 0, len = 0;

	json_text_duplicate(doc, &pos, &len);
	return json_text_error(doc, pos, e, "duplicate key %.*s", len > 100 ? 100 : (int)len,
			       doc->text + pos);
}

int json_parse(struct arena *a, const char *text, size_t len, const char *name,
	       struct json_doc *ret, struct err *e)
{
	struct json_doc doc = { .name = name ? name : "json", .text = text, .len = len };
	struct scan s = { .text = text, .len = len };
	struct convert c = { .a = a };
	struct json_object *o = NULL;
	struct json *root;
	int r;

	if (len > JSON_MAX_SIZE)
		return err_set(e, ERR_INVALID, 0, "%s: larger than %zu bytes", doc.name,
			       JSON_MAX_SIZE);
	r = scan_all(&s);
	if (r < 0)
		return json_text_error(&doc, s.pos, e, "%s", s.why);
	r = read_tree(&doc, &o, e);
	if (r < 0)
		return r;
	root = arena_alloc(a, sizeof *root);
	r = root ? convert(&c, o, root) : -ENOMEM;
	json_object_put(o);
	if (r < 0)
		return err_set(e, ERR_INTERNAL, r, "read '%s'", doc.name);
	doc.root = root;
	if (c.keys != s.keys)
		return duplicate_error(&doc, e);
	if (c.infinite)
		return err_set(e, ERR_INVALID, 0, "%s:%d: number '%.40s' is too large", doc.name,
			       json_line(&doc, c.infinite), c.infinite->s);
	*ret = doc;
	return 0;
}
