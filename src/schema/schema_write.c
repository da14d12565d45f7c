/* Writing HCS's documents by the tables that they are read by. */
#include <string.h>
#include <time.h>

#include "clock.h"
#include "mem.h"
#include "schema_reply.h"
#include "schema_requests.h"
#include "schema_table.h"
#include "str.h"

/* Writes the member if it is not absent. */
typedef void writer(struct jw *w, const char *key, const struct json_field *f, const void *obj);

static const void *place(const void *obj, const struct json_field *f)
{
	return (const char *)obj + f->offset;
}

static size_t count(const void *obj, const struct json_field *f)
{
	return *(const size_t *)((const char *)obj + f->aux - 1);
}

/* A number or a bool that is `zero`: whether it is given nevertheless. */
static bool is_given(const struct json_field *f, const void *obj, bool zero)
{
	if (f->aux)
		return *(const bool *)((const char *)obj + f->aux - 1);
	return !zero || (f->flags & (SCHEMA_ALWAYS | JSON_REQUIRED));
}

/* ---- scalars ------------------------------------------------------------ */

static void write_string(struct jw *w, const char *key, const struct json_field *f, const void *obj)
{
	const char *s = *(const char *const *)place(obj, f);

	if (s)
		jw_kstr(w, key, s);
}

static void write_bool(struct jw *w, const char *key, const struct json_field *f, const void *obj)
{
	bool v = *(const bool *)place(obj, f);

	if (is_given(f, obj, !v))
		jw_kbool(w, key, v);
}

#define NUMBER(type, put)                                                                   \
	static void write_##type(struct jw *w, const char *key, const struct json_field *f, \
				 const void *obj)                                           \
	{                                                                                   \
		type##_t v = *(const type##_t *)place(obj, f);                              \
                                                                                            \
		if (is_given(f, obj, !v))                                                   \
			put(w, key, v);                                                     \
	}
NUMBER(uint16, jw_kuint)
NUMBER(uint32, jw_kuint)
NUMBER(uint64, jw_kuint)
NUMBER(int32, jw_kint)
NUMBER(int64, jw_kint)

static void write_name(struct jw *w, const char *key, const struct json_field *f, const void *obj)
{
	const struct schema_choice *c = f->arg;
	const char *name = name_of(c->table, (uint64_t) * (const int *)place(obj, f));

	if (name)
		jw_kstr(w, key, name);
}

static void write_only(struct jw *w, const char *key, const struct json_field *f, const void *obj)
{
	const char *const *accepted = f->arg;

	(void)obj;
	if (f->flags & JSON_REQUIRED)
		jw_kstr(w, key, accepted[0]);
}

static void write_names(struct jw *w, const char *key, const struct json_field *f, const void *obj)
{
	const struct schema_choice *c = f->arg;
	unsigned bits = *(const unsigned *)place(obj, f);

	if (!bits)
		return;
	jw_kbegin(w, key, '[');
	for (const struct name *row = c->table; row->name; row++)
		if (bits & 1u << row->value)
			jw_str(w, row->name);
	jw_end(w);
}

static void write_time(struct jw *w, const char *key, const struct json_field *f, const void *obj)
{
	int64_t ns = *(const int64_t *)place(obj, f);
	const struct timespec t = { .tv_sec = ns / 1000000000, .tv_nsec = (long)(ns % 1000000000) };
	char text[CLOCK_TEXT];

	if (ns <= 0)
		return;
	clock_utc(&t, 1, text);
	jw_kstr(w, key, text);
}

static void write_value(struct jw *w, const char *key, const struct json_field *f, const void *obj)
{
	const struct json *v = *(const struct json *const *)place(obj, f);

	if (!v)
		return;
	jw_key(w, key);
	jw_value(w, v);
}

static void write_console_size(struct jw *w, const char *key, const struct json_field *f,
			       const void *obj)
{
	const struct schema_process *p = obj;

	(void)f;
	if (!p->has_console_size)
		return;
	jw_kbegin(w, key, '[');
	jw_uint(w, p->console_height);
	jw_uint(w, p->console_width);
	jw_end(w);
}

static void write_signal(struct jw *w, const char *key, const struct json_field *f,
			 const void *obj)
{
	int signal = *(const int *)place(obj, f);

	if (signal)
		jw_kint(w, key, signal);
}

/* ---- lists and objects --------------------------------------------------- */

static void write_strings(struct jw *w, const char *key, const struct json_field *f,
			  const void *obj)
{
	char *const *list = *(char *const *const *)place(obj, f);

	if (count(obj, f))
		jw_kstrs(w, key, list, count(obj, f));
}

static void write_map(struct jw *w, const char *key, const struct json_field *f, const void *obj)
{
	const struct kv *list = *(const struct kv *const *)place(obj, f);
	size_t n = count(obj, f);

	if (!n)
		return;
	jw_kbegin(w, key, '{');
	for (size_t i = 0; i < n; i++)
		jw_kstr(w, list[i].key, list[i].value);
	jw_end(w);
}

static void write_object(struct jw *w, const char *key, const struct json_field *fields,
			 const void *obj)
{
	jw_kbegin(w, key, '{');
	schema_write_fields(w, fields, obj);
	jw_end(w);
}

/* An object without a presence of its own is there when something is in it. */
static void write_part(struct jw *w, const char *key, const struct json_field *f, const void *obj)
{
	const struct json_struct *s = f->arg;
	const struct jw before = *w;
	size_t len = w->b->len;
	bool any;

	if (f->aux) {
		if (is_given(f, obj, true))
			write_object(w, key, s->fields, place(obj, f));
		return;
	}
	jw_kbegin(w, key, '{');
	schema_write_fields(w, s->fields, place(obj, f));
	any = w->any[w->depth - 1];
	jw_end(w);
	if (any || w->b->failed)
		return;
	*w = before;
	w->b->len = len;
	if (w->b->s)
		w->b->s[len] = '\0';
}

static void write_variant(struct jw *w, const char *key, const struct json_field *f,
			  const void *obj)
{
	const struct schema_variant *v = f->arg;

	if (v->is(obj))
		write_object(w, key, v->s.fields, place(obj, f));
}

static void write_pointer(struct jw *w, const char *key, const struct json_field *f,
			  const void *obj)
{
	const struct json_struct *s = f->arg;
	const void *p = *(const void *const *)place(obj, f);

	if (p)
		write_object(w, key, s->fields, p);
}

static void write_list(struct jw *w, const char *key, const struct json_field *f, const void *obj)
{
	const struct json_struct *s = f->arg;
	const char *list = *(const char *const *)place(obj, f);

	if (!list)
		return;
	jw_kbegin(w, key, '[');
	for (size_t i = 0; i < count(obj, f); i++) {
		jw_begin(w, '{');
		schema_write_fields(w, s->fields, list + i * s->size);
		jw_end(w);
	}
	jw_end(w);
}

static void write_version(struct jw *w, const char *key, const struct json_field *f,
			  const void *obj)
{
	const struct schema_version *v = place(obj, f);

	if (!v->major)
		return;
	jw_kbegin(w, key, '{');
	jw_kuint(w, "Major", v->major);
	jw_kuint(w, "Minor", v->minor);
	jw_end(w);
}

/* ---- queries and their answers ------------------------------------------- */

static void write_queries(struct jw *w, const char *key, const struct json_field *f,
			  const void *obj)
{
	const struct schema_named_query *list = *(const struct schema_named_query *const *)place(obj, f);

	if (!count(obj, f))
		return;
	jw_kbegin(w, key, '{');
	for (size_t i = 0; i < count(obj, f); i++) {
		jw_kbegin(w, list[i].name, '{');
		jw_end(w);
	}
	jw_end(w);
}

static void write_responses(struct jw *w, const char *key, const struct json_field *f,
			    const void *obj)
{
	const struct schema_properties *p = obj;

	(void)f;
	if (!p->n_responses)
		return;
	jw_kbegin(w, key, '{');
	for (size_t i = 0; i < p->n_responses; i++) {
		const struct schema_property_response *r = &p->responses[i];

		jw_kbegin(w, r->name, '{');
		if (r->error)
			write_object(w, "Error", schema_result_error_fields, r->error);
		if (r->response)
			schema_write_field(w, "Response", schema_response_row(r->name), r->response);
		jw_end(w);
	}
	jw_end(w);
}

static void write_service_responses(struct jw *w, const char *key, const struct json_field *f,
				    const void *obj)
{
	const struct schema_service_properties *p = obj;

	(void)f;
	if (!p->n_responses)
		return;
	jw_kbegin(w, key, '{');
	for (size_t i = 0; i < p->n_responses; i++) {
		const struct schema_service_response *r = &p->responses[i];

		jw_kbegin(w, r->name, '{');
		if (r->error)
			write_object(w, "Error", schema_result_error_fields, r->error);
		if (r->response)
			write_object(w, "Response", schema_service_value_fields, r->response);
		jw_end(w);
	}
	jw_end(w);
}

/* ---- the table ----------------------------------------------------------- */

/* clang-format off */
static const struct {
	JSON_DECODER((*read));
	writer *write;
} writers[] = {
	{ json_dec_string,              write_string },
	{ spec_dec_text,                write_string },
	{ schema_dec_path,              write_string },
	{ schema_dec_container_path,    write_string },
	{ schema_dec_pipe_name,         write_string },
	{ schema_dec_hostname,          write_string },
	{ schema_dec_namespace,         write_string },
	{ json_dec_bool,                write_bool },
	{ json_dec_u16,                 write_uint16 },
	{ json_dec_u32,                 write_uint32 },
	{ schema_dec_per_10000,         write_uint32 },
	{ schema_dec_count,             write_uint32 },
	{ json_dec_u64,                 write_uint64 },
	{ schema_dec_megabytes,         write_uint64 },
	{ json_dec_i32,                 write_int32 },
	{ json_dec_i64,                 write_int64 },
	{ schema_dec_name,              write_name },
	{ schema_dec_names,             write_names },
	{ schema_dec_only,              write_only },
	{ schema_dec_time,              write_time },
	{ schema_dec_value,             write_value },
	{ schema_dec_console_size,      write_console_size },
	{ schema_dec_signal,            write_signal },
	{ schema_dec_oci_process,       write_value },
	{ json_dec_strings,             write_strings },
	{ schema_dec_environment,       write_map },
	{ schema_dec_part,              write_part },
	{ schema_dec_variant,           write_variant },
	{ schema_dec_oci,               write_value },
	{ json_dec_pointer,             write_pointer },
	{ json_dec_list,                write_list },
	{ schema_dec_version,           write_version },
	{ schema_dec_queries,           write_queries },
	{ schema_dec_responses,         write_responses },
	{ schema_dec_service_responses, write_service_responses },
};
/* clang-format on */

void schema_write_field(struct jw *w, const char *key, const struct json_field *f, const void *obj)
{
	for (size_t i = 0; i < ARRAY_SIZE(writers); i++)
		if (writers[i].read == f->decode)
			writers[i].write(w, key ? key : f->key, f, obj);
}

void schema_write_fields(struct jw *w, const struct json_field *fields, const void *obj)
{
	for (; fields->key; fields++)
		schema_write_field(w, NULL, fields, obj);
}

void schema_write(struct jw *w, const struct schema_type *t, const void *doc)
{
	if (t->write) {
		t->write(w, doc);
		return;
	}
	jw_begin(w, '{');
	schema_write_fields(w, t->fields_of_doc ? t->fields_of_doc(doc) : t->s.fields, doc);
	jw_end(w);
}

/* ---- about tables -------------------------------------------------------- */

const struct json_field *schema_below(const struct json_field *f)
{
	const struct json_struct *s = f->arg;

	if (f->decode == schema_dec_version)
		return schema_version_fields;
	if (f->decode == schema_dec_part || f->decode == schema_dec_variant ||
	    f->decode == json_dec_pointer || f->decode == json_dec_list)
		return s->fields;
	return NULL;
}

bool schema_is_unsupported(const struct json_field *f)
{
	return f->decode == schema_dec_nothing;
}

bool schema_is_written(const struct json_field *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(writers); i++)
		if (writers[i].read == f->decode)
			return true;
	return false;
}
