/* Reading HCS's documents: the decoders that their tables share. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "err.h"
#include "mem.h"
#include "schema_requests.h"
#include "schema_table.h"
#include "str.h"

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
	*(size_t *)((char *)obj + f->aux - 1) = n;
}

/* ---- nothing, parts ----------------------------------------------------- */

static bool asks_for_nothing(const struct json *v)
{
	switch ((enum json_type)v->type) {
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return !v->b;
	case JSON_INT:
		return v->u == 0;
	case JSON_STRING:
	case JSON_ARRAY:
	case JSON_OBJECT:
		return v->n == 0;
	case JSON_DOUBLE:
		break;
	}
	return false;
}

bool schema_is_there(const struct json *object, const char *key)
{
	const struct json *v = json_get(object, key);

	return v && v->type != JSON_NULL;
}

bool schema_is_given(const struct json *object, const char *key)
{
	const struct json *v = json_get(object, key);

	return v && !asks_for_nothing(v);
}

JSON_DECODER(schema_dec_nothing)
{
	const char *why = f->arg;

	(void)obj;
	if (asks_for_nothing(v))
		return 0;
	return json_unsupported(d, v, "is not supported%s%s", why ? ": " : "", why ? why : "");
}

JSON_DECODER(schema_dec_only)
{
	const char *const *accepted = f->arg;
	int r = 0;

	(void)obj;
	if (!json_want(d, v, JSON_STRING, &r))
		return r;
	for (size_t i = 0; accepted[i]; i++)
		if (!strcmp(v->s, accepted[i]))
			return 0;
	if (!v->n)
		return 0;
	return json_unsupported(d, v, "'%s' is not supported: only '%s' is", v->s, accepted[0]);
}

JSON_DECODER(schema_dec_part)
{
	const struct json_struct *s = f->arg;
	void *part = place(obj, f);
	int r = json_decode(d, v, s->fields, part);

	set_has(obj, f);
	return r < 0 || v->type != JSON_OBJECT || !s->each ? r : s->each(d, v, part);
}

JSON_DECODER(schema_dec_variant)
{
	return schema_dec_part(d, v, f, obj);
}

JSON_DECODER(schema_dec_value)
{
	(void)d;
	*(const struct json **)place(obj, f) = v;
	return 0;
}

/* ---- words -------------------------------------------------------------- */

static const char *list_names(const struct name *table, char *buf, size_t cap)
{
	size_t len = 0;

	for (buf[0] = '\0'; table->name && len < cap; table++)
		len += (size_t)snprintf(buf + len, cap - len, "%s%s", len ? ", " : "", table->name);
	return buf;
}

static bool want_name(struct json_dec *d, const struct json *v, const struct schema_choice *c,
		      uint64_t *value, int *r)
{
	char known[400];

	if (!json_want(d, v, JSON_STRING, r))
		return false;
	if (name_value(c->table, v->s, value) == 0)
		return true;
	for (size_t i = 0; c->unsupported && c->unsupported[i]; i++) {
		if (strcmp(v->s, c->unsupported[i]) != 0)
			continue;
		*r = json_unsupported(d, v, "'%s' is not supported", v->s);
		return false;
	}
	*r = json_fail(d, v, "unknown %s '%s': must be one of %s", c->what, v->s,
		       list_names(c->table, known, sizeof known));
	return false;
}

JSON_DECODER(schema_dec_name)
{
	uint64_t value;
	int r = 0;

	if (v->type == JSON_STRING && !v->n)
		return 0;
	if (want_name(d, v, f->arg, &value, &r))
		*(int *)place(obj, f) = (int)value;
	return r;
}

JSON_DECODER(schema_dec_names)
{
	unsigned *bits = place(obj, f);
	uint64_t value;
	int r = 0;

	if (!json_want(d, v, JSON_ARRAY, &r))
		return r;
	for (uint32_t i = 0; r >= 0 && i < v->n; i++)
		if (want_name(d, &v->items[i], f->arg, &value, &r))
			*bits |= 1u << value;
	return r;
}

JSON_DECODER(schema_dec_queries)
{
	const struct schema_choice *c = f->arg;
	struct schema_named_query *list;
	char pointer[512];
	uint64_t value;
	int r = 0;

	if (!json_want(d, v, JSON_OBJECT, &r))
		return r;
	list = arena_calloc(d->a, v->n, sizeof *list);
	if (!list)
		return json_nomem(d);
	for (uint32_t i = 0; i < v->n; i++) {
		const struct json *q = &v->items[i];

		if (q->type != JSON_NULL && !json_want(d, q, JSON_OBJECT, &r) && r < 0)
			return r;
		list[i].name = q->key;
		/* what is in the query would limit the answer: nothing here can be limited */
		if (name_value(c->table, q->key, &value) == 0 && asks_for_nothing(q))
			list[i].property = (unsigned)value;
		list[i].pointer = arena_strdup(d->a, json_pointer(q, pointer, sizeof pointer));
		if (!list[i].pointer)
			return json_nomem(d);
	}
	*(struct schema_named_query **)place(obj, f) = list;
	set_count(obj, f, v->n);
	return 0;
}

/* ---- paths and names ---------------------------------------------------- */

JSON_DECODER(schema_dec_path)
{
	if (v->type == JSON_STRING && !v->n)
		return 0;
	return spec_dec_abs_path(d, v, f, obj);
}

JSON_DECODER(schema_dec_container_path)
{
	char *clean;

	if (v->type != JSON_STRING || v->s[0] != '/')
		return spec_dec_abs_path(d, v, f, obj);
	clean = spec_clean_path(d->a, v->s);
	if (!clean)
		return json_nomem(d);
	if (!strcmp(clean, "/"))
		return json_fail(d, v, "'%s' is the root of the container", v->s);
	return spec_dec_abs_path(d, v, f, obj);
}

/* An absolute path, or a name of a file. */
JSON_DECODER(schema_dec_pipe_name)
{
	if (v->type != JSON_STRING || v->s[0] == '/')
		return schema_dec_container_path(d, v, f, obj);
	if (strpbrk(v->s, "/\\") || !strcmp(v->s, ".") || !strcmp(v->s, ".."))
		return json_fail(d, v, "'%s' must be an absolute path, or a name", v->s);
	return json_dec_string(d, v, f, obj);
}

JSON_DECODER(schema_dec_namespace)
{
	if (v->type == JSON_STRING && v->s[0] != '/' &&
	    (strchr(v->s, '/') || !strcmp(v->s, ".") || !strcmp(v->s, "..")))
		return json_fail(d, v, "'%s' must be a name, or an absolute path", v->s);
	return spec_dec_text(d, v, f, obj);
}

JSON_DECODER(schema_dec_hostname)
{
	if (v->type == JSON_STRING && v->n > 64)
		return json_fail(d, v, "longer than 64 bytes");
	return spec_dec_text(d, v, f, obj);
}

JSON_DECODER(schema_dec_environment)
{
	for (uint32_t i = 0; v->type == JSON_OBJECT && i < v->n; i++) {
		const struct json *m = &v->items[i];
		int r = 0;

		if (strchr(m->key, '='))
			r = json_fail(d, m, "a name must not have a '='");
		if (r < 0)
			return r;
	}
	return spec_dec_map(d, v, f, obj);
}

/* ---- numbers ------------------------------------------------------------ */

static int at_most(struct json_dec *d, const struct json *v, const struct json_field *f, void *obj,
		   uint64_t max)
{
	if (v->type == JSON_INT && !v->negative && v->u > max)
		return json_fail(d, v, "must be at most %" PRIu64, max);
	return json_dec_u32(d, v, f, obj);
}

JSON_DECODER(schema_dec_per_10000)
{
	return at_most(d, v, f, obj, 10000);
}

JSON_DECODER(schema_dec_count)
{
	return at_most(d, v, f, obj, 8192); /* what the kernel can be built for */
}

JSON_DECODER(schema_dec_megabytes)
{
	const uint64_t max = INT64_MAX >> 20;

	if (v->type == JSON_INT && !v->negative && v->u > max)
		return json_fail(d, v, "must be at most %" PRIu64, max);
	return json_dec_u64(d, v, f, obj);
}

/* Height, then width. Clients that have an array of two numbers cannot leave it
 * out: [0, 0] is none. */
JSON_DECODER(schema_dec_console_size)
{
	struct schema_process *p = obj;
	const uint64_t max = UINT16_MAX;
	int r = 0;

	(void)f;
	if (!json_want(d, v, JSON_ARRAY, &r))
		return r;
	if (v->n != 2)
		return json_fail(d, v, "must be two numbers: height, width");
	for (uint32_t i = 0; i < 2; i++) {
		const struct json *n = &v->items[i];

		if (!json_want(d, n, JSON_INT, &r))
			return r;
		if (n->negative || n->u > max)
			return json_fail(d, n, "must be between 0 and %" PRIu64, max);
	}
	p->console_height = (uint16_t)v->items[0].u;
	p->console_width = (uint16_t)v->items[1].u;
	p->has_console_size = p->console_height || p->console_width;
	return 0;
}

/* ---- times -------------------------------------------------------------- */

/* Of the years that 64 bits of nanoseconds since 1970 reach whole. */
static bool parse_time(const char *s, int64_t *ret)
{
	const int64_t end = 9214646400; /* of 2261 */
	struct timespec t;

	if (clock_read(s, &t) < 0 || t.tv_sec < 0 || t.tv_sec >= end)
		return false;
	*ret = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	return true;
}

JSON_DECODER(schema_dec_time)
{
	int r = 0;

	if (!json_want(d, v, JSON_STRING, &r))
		return r;
	if (!parse_time(v->s, place(obj, f)))
		return json_fail(d, v, "'%s' is not a time such as 2026-11-22T03:37:00Z", v->s);
	return 0;
}

/* ---- versions ----------------------------------------------------------- */

/* clang-format off */
const struct schema_version schema_supported_versions[] = {
	{ 1, 0 }, { 2, 0 }, { 2, 1 }, { 2, 2 }, { 2, 3 }, { 2, 4 }, { 2, 5 }, { 2, 6 },
};
const size_t schema_n_supported_versions = ARRAY_SIZE(schema_supported_versions);

#define OF struct schema_version
const struct json_field schema_version_fields[] = {
	ROW("Major", json_dec_u32, major, JSON_REQUIRED),
	ROW("Minor", json_dec_u32, minor, JSON_REQUIRED),
	{ 0 }
};
#undef OF
/* clang-format on */

/* A document that says its version is one of 2.x: those of 1.0 cannot. */
JSON_DECODER(schema_dec_version)
{
	struct schema_version *version = place(obj, f);
	int r = json_decode(d, v, schema_version_fields, version);

	if (r < 0 || json_i64(json_get(v, "Major"), -1) < 0 || json_i64(json_get(v, "Minor"), -1) < 0)
		return r; /* that was told already */
	for (size_t i = 0; i < schema_n_supported_versions; i++) {
		const struct schema_version *known = &schema_supported_versions[i];

		if (known->major > 1 && known->major == version->major &&
		    known->minor == version->minor)
			return 0;
	}
	return json_unsupported(d, v, "schema %" PRIu32 ".%" PRIu32 " is not supported: 2.0 to 2.6 are%s",
				version->major, version->minor,
				version->major == 1 ? ", and 1.0 in documents with SystemType and Name" : "");
}

/* ---- documents ---------------------------------------------------------- */

static int decode(struct json_dec *d, const struct schema_type *t, void *obj)
{
	const struct json *root = d->doc->root;
	const struct json_field *fields = t->fields_of ? t->fields_of(root) : t->s.fields;
	int r = json_decode(d, root, fields, obj);

	if (r >= 0 && root->type == JSON_OBJECT && t->s.each)
		r = t->s.each(d, root, obj);
	return r < 0 ? r : json_dec_end(d);
}

static bool is_blank(const struct schema_source *src)
{
	for (size_t i = 0; src->text && i < src->len; i++)
		if (!memchr(" \t\r\n", src->text[i], 4))
			return false;
	return true;
}

int schema_parse(struct arena *a, const struct schema_source *src, const struct schema_type *t,
		 void **ret, struct err *e)
{
	const char *text = src->text ? src->text : "";
	size_t len = src->text ? src->len : 0;
	struct json_doc doc;
	struct err own;
	struct json_dec d = { .doc = &doc, .a = a, .unknown_unsupported = true, .e = e ? e : &own };
	void *obj;
	int r;

	if (t->optional && is_blank(src)) {
		text = "{}";
		len = 2;
	}
	r = json_parse(a, text, len, src->name, &doc, d.e);
	if (r < 0) {
		if (src->problems)
			src->problems->add(src->problems->ctx, "", 0, d.e->msg);
		return r;
	}
	if (src->problems) {
		d.add = src->problems->add;
		d.ctx = src->problems->ctx;
	}
	obj = arena_alloc(a, t->s.size);
	if (!obj)
		return json_nomem(&d);
	r = decode(&d, t, obj);
	if (r < 0)
		return r;
	*ret = obj;
	return 0;
}
