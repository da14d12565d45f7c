/* Decoding JSON values into structs by tables, and asking values simply. */
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "mem.h"

/* ---- asking ----------------------------------------------------------- */

const struct json *json_get(const struct json *object, const char *key)
{
	if (!object || object->type != JSON_OBJECT)
		return NULL;
	for (uint32_t i = 0; i < object->n; i++)
		if (!strcmp(object->items[i].key, key))
			return &object->items[i];
	return NULL;
}

const struct json *json_at(const struct json *array, size_t i)
{
	if (!array || (array->type != JSON_ARRAY && array->type != JSON_OBJECT))
		return NULL;
	return i < array->n ? &array->items[i] : NULL;
}

const char *json_string(const struct json *v, const char *otherwise)
{
	return v && v->type == JSON_STRING ? v->s : otherwise;
}

int64_t json_i64(const struct json *v, int64_t otherwise)
{
	if (!v || v->type != JSON_INT || (!v->negative && v->u > INT64_MAX))
		return otherwise;
	return v->i;
}

static const char *type_name(enum json_type type)
{
	switch (type) {
	case JSON_NULL:
		return "null";
	case JSON_BOOL:
		return "true or false";
	case JSON_INT:
		return "a whole number";
	case JSON_DOUBLE:
		return "a number with a fraction";
	case JSON_STRING:
		return "a string";
	case JSON_ARRAY:
		return "a list";
	case JSON_OBJECT:
		return "an object";
	}
	return "nothing";
}

const char *json_type_name(const struct json *v)
{
	return v ? type_name((enum json_type)v->type) : "nothing";
}

/* ---- pointers --------------------------------------------------------- */

struct cut {
	char *s;
	size_t len, cap;
};

static void cut_add(struct cut *c, const char *s, size_t n)
{
	if (n > c->cap - c->len - 1)
		n = c->cap - c->len - 1;
	memcpy(c->s + c->len, s, n);
	c->len += n;
	c->s[c->len] = '\0';
}

static void pointer_step(struct cut *c, const struct json *v)
{
	char number[24];
	const char *k = v->key;

	cut_add(c, "/", 1);
	if (!k) {
		snprintf(number, sizeof number, "%zu", (size_t)(v - v->parent->items));
		cut_add(c, number, strlen(number));
		return;
	}
	for (; *k; k++) {
		if (*k == '~')
			cut_add(c, "~0", 2);
		else if (*k == '/')
			cut_add(c, "~1", 2);
		else
			cut_add(c, k, 1);
	}
}

const char *json_pointer(const struct json *v, char *buf, size_t cap)
{
	const struct json *path[JSON_MAX_DEPTH + 1];
	struct cut c = { .s = buf, .cap = cap };
	size_t n = 0;

	if (!cap)
		return buf;
	buf[0] = '\0';
	for (; v && v->parent && n < ARRAY_SIZE(path); v = v->parent)
		path[n++] = v;
	while (n--)
		pointer_step(&c, path[n]);
	return buf;
}

/* ---- problems --------------------------------------------------------- */

struct problem {
	const struct json *v;
	const char *rel; /* relative pointer below v; NULL: v itself */
	enum err_kind kind;
	int r;
};

__attribute__((format(printf, 3, 0))) static int report(struct json_dec *d,
							const struct problem *p, const char *fmt, va_list ap)
{
	char pointer[512], words[512], at[32];
	size_t n;
	const struct json *below = p->rel && *p->rel ? json_get(p->v, p->rel + 1) : NULL;
	int line, column, r;

	json_pointer(p->v, pointer, sizeof pointer);
	n = strlen(pointer);
	if (p->rel)
		snprintf(pointer + n, sizeof pointer - n, "%s", p->rel);
	vsnprintf(words, sizeof words, fmt, ap);
	json_place(d->doc, below ? below : p->v, &line, &column);
	snprintf(at, sizeof at, d->columns ? "%d:%d" : " line %d", line, column);
	if (!d->failed) {
		/* The kind says it all: an errno would only add "invalid argument". */
		r = err_set(d->e, p->kind, 0, "%s:%s: %s%s%s", d->doc->name, at, pointer,
			    *pointer ? ": " : "", words);
		d->failed = p->r ? p->r : r;
	}
	if (!d->add)
		return d->failed;
	d->add(d->ctx, pointer, line, words);
	return ++d->n_problems < JSON_MAX_PROBLEMS ? 0 : d->failed;
}

int json_fail(struct json_dec *d, const struct json *v, const char *fmt, ...)
{
	struct problem p = { .v = v, .kind = ERR_INVALID, .r = -EINVAL };
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = report(d, &p, fmt, ap);
	va_end(ap);
	return r;
}

int json_fail_at(struct json_dec *d, const struct json *v, const char *rel, const char *fmt, ...)
{
	struct problem p = { .v = v, .rel = rel, .kind = ERR_INVALID, .r = -EINVAL };
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = report(d, &p, fmt, ap);
	va_end(ap);
	return r;
}

int json_unsupported(struct json_dec *d, const struct json *v, const char *fmt, ...)
{
	struct problem p = { .v = v, .kind = ERR_UNSUPPORTED, .r = -ENOTSUP };
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = report(d, &p, fmt, ap);
	va_end(ap);
	return r;
}

int json_nomem(struct json_dec *d)
{
	if (!d->failed)
		err_set(d->e, ERR_INTERNAL, -ENOMEM, "decode '%s'", d->doc->name);
	return d->failed = -ENOMEM;
}

bool json_want(struct json_dec *d, const struct json *v, enum json_type type, int *r)
{
	if (v && v->type == type)
		return true;
	*r = json_fail(d, v, "must be %s, not %s", type_name(type), json_type_name(v));
	return false;
}

int json_dec_end(const struct json_dec *d)
{
	return d->failed;
}

/* ---- objects ---------------------------------------------------------- */

static bool is_empty(const struct json *v)
{
	return (v->type == JSON_STRING || v->type == JSON_ARRAY || v->type == JSON_OBJECT) &&
	       v->n == 0;
}

static bool is_zero(const struct json *v)
{
	return v->type == JSON_INT && v->u == 0;
}

static int decode_field(struct json_dec *d, const struct json *v, const struct json_field *f,
			void *obj)
{
	if ((f->flags & JSON_NONEMPTY) && is_empty(v))
		return json_fail(d, v, "must not be empty");
	if ((f->flags & JSON_POSITIVE) && is_zero(v))
		return json_fail(d, v, "must not be 0");
	return f->decode(d, v, f, obj);
}

static int report_missing(struct json_dec *d, const struct json *v,
			  const struct json_field *fields, uint64_t seen)
{
	for (size_t i = 0; fields[i].key; i++) {
		char rel[128];
		int r;

		if (!(fields[i].flags & JSON_REQUIRED) || (seen & (uint64_t)1 << i))
			continue;
		snprintf(rel, sizeof rel, "/%s", fields[i].key);
		r = json_fail_at(d, v, rel, "is missing");
		if (r < 0)
			return r;
	}
	return 0;
}

static int unknown_key(struct json_dec *d, const struct json *member)
{
	if (d->unknown_unsupported)
		return json_unsupported(d, member, "is not supported: no such member is known");
	return d->refuse_unknown ? json_fail(d, member, "unknown key") : 0;
}

int json_decode(struct json_dec *d, const struct json *v, const struct json_field *fields,
		void *obj)
{
	uint64_t seen = 0;
	int r = 0;

	if (!json_want(d, v, JSON_OBJECT, &r))
		return r;
	for (uint32_t m = 0; m < v->n; m++) {
		const struct json *member = &v->items[m];
		size_t i = 0;

		while (fields[i].key && strcmp(fields[i].key, member->key))
			i++;
		if (!fields[i].key) {
			r = unknown_key(d, member);
		} else if (member->type != JSON_NULL) {
			seen |= (uint64_t)1 << i;
			r = decode_field(d, member, &fields[i], obj);
		}
		if (r < 0)
			return r;
	}
	return report_missing(d, v, fields, seen);
}

/* ---- decoders --------------------------------------------------------- */

static void *place(void *obj, const struct json_field *f)
{
	return (char *)obj + f->offset;
}

static void set_has(void *obj, const struct json_field *f)
{
	if (f->aux)
		*(bool *)((char *)obj + f->aux - 1) = true;
}

static void set_count(void *obj, const struct json_field *f, size_t n)
{
	if (f->aux)
		*(size_t *)((char *)obj + f->aux - 1) = n;
}

JSON_DECODER(json_dec_string)
{
	int r = 0;

	if (!json_want(d, v, JSON_STRING, &r))
		return r;
	/* The tree lives in the same arena or longer: no copy. */
	*(const char **)place(obj, f) = v->s;
	set_has(obj, f);
	return 0;
}

JSON_DECODER(json_dec_bool)
{
	int r = 0;

	if (!json_want(d, v, JSON_BOOL, &r))
		return r;
	*(bool *)place(obj, f) = v->b;
	set_has(obj, f);
	return 0;
}

static bool want_unsigned(struct json_dec *d, const struct json *v, uint64_t max, int *r)
{
	if (!json_want(d, v, JSON_INT, r))
		return false;
	if (v->negative)
		*r = json_fail(d, v, "must not be negative");
	else if (v->u > max)
		*r = json_fail(d, v, "must be at most %" PRIu64, max);
	else
		return true;
	return false;
}

static bool want_signed(struct json_dec *d, const struct json *v, int64_t min, int64_t max, int *r)
{
	if (!json_want(d, v, JSON_INT, r))
		return false;
	if (v->negative ? v->i < min : v->u > (uint64_t)max)
		*r = json_fail(d, v, "must be between %" PRId64 " and %" PRId64, min, max);
	else
		return true;
	return false;
}

#define UNSIGNED_DECODER(name, type, max)            \
	JSON_DECODER(name)                           \
	{                                            \
		int r = 0;                           \
                                                     \
		if (!want_unsigned(d, v, max, &r))   \
			return r;                    \
		*(type *)place(obj, f) = (type)v->u; \
		set_has(obj, f);                     \
		return 0;                            \
	}
UNSIGNED_DECODER(json_dec_u16, uint16_t, UINT16_MAX)
UNSIGNED_DECODER(json_dec_u32, uint32_t, UINT32_MAX)
UNSIGNED_DECODER(json_dec_u64, uint64_t, UINT64_MAX)

#define SIGNED_DECODER(name, type, min, max)          \
	JSON_DECODER(name)                            \
	{                                             \
		int r = 0;                            \
                                                      \
		if (!want_signed(d, v, min, max, &r)) \
			return r;                     \
		*(type *)place(obj, f) = (type)v->i;  \
		set_has(obj, f);                      \
		return 0;                             \
	}
SIGNED_DECODER(json_dec_i32, int32_t, INT32_MIN, INT32_MAX)
SIGNED_DECODER(json_dec_i64, int64_t, INT64_MIN, INT64_MAX)

JSON_DECODER(json_dec_strings)
{
	const char **list;
	size_t n = 0;
	int r = 0;

	if (!json_want(d, v, JSON_ARRAY, &r))
		return r;
	list = arena_calloc(d->a, (size_t)v->n + 1, sizeof *list);
	if (!list)
		return json_nomem(d);
	for (uint32_t i = 0; i < v->n; i++) {
		if (json_want(d, &v->items[i], JSON_STRING, &r))
			list[n++] = v->items[i].s;
		else if (r < 0)
			return r;
	}
	*(const char ***)place(obj, f) = list;
	set_count(obj, f, n);
	return 0;
}

JSON_DECODER(json_dec_u32s)
{
	uint32_t *list;
	size_t n = 0;
	int r = 0;

	if (!json_want(d, v, JSON_ARRAY, &r))
		return r;
	list = arena_calloc(d->a, v->n, sizeof *list);
	if (!list)
		return json_nomem(d);
	for (uint32_t i = 0; i < v->n; i++) {
		if (want_unsigned(d, &v->items[i], UINT32_MAX, &r))
			list[n++] = (uint32_t)v->items[i].u;
		else if (r < 0)
			return r;
	}
	*(uint32_t **)place(obj, f) = list;
	set_count(obj, f, n);
	return 0;
}

JSON_DECODER(json_dec_object)
{
	set_has(obj, f);
	return json_decode(d, v, f->arg, place(obj, f));
}

static int decode_struct(struct json_dec *d, const struct json *v, const struct json_struct *s,
			 void *obj)
{
	int r = s->fields ? json_decode(d, v, s->fields, obj) : 0;

	return r < 0 || !s->each ? r : s->each(d, v, obj);
}

JSON_DECODER(json_dec_list)
{
	const struct json_struct *s = f->arg;
	char *list;
	int r = 0;

	if (!json_want(d, v, JSON_ARRAY, &r))
		return r;
	list = arena_calloc(d->a, v->n, s->size);
	if (!list)
		return json_nomem(d);
	for (uint32_t i = 0; i < v->n; i++) {
		r = decode_struct(d, &v->items[i], s, list + (size_t)i * s->size);
		if (r < 0)
			return r;
	}
	*(void **)place(obj, f) = list;
	set_count(obj, f, v->n);
	return 0;
}

JSON_DECODER(json_dec_pointer)
{
	const struct json_struct *s = f->arg;
	void *p;
	int r = 0;

	if (!json_want(d, v, JSON_OBJECT, &r))
		return r;
	p = arena_alloc(d->a, s->size);
	if (!p)
		return json_nomem(d);
	*(void **)place(obj, f) = p;
	return decode_struct(d, v, s, p);
}
