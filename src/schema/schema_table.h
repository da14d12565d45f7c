/*
 * What the tables of HCS's documents are made of; see schema.h. Only for the
 * schema_*.c files and their tests.
 *
 * A row is a struct json_field, and serves both directions: json_decode() reads
 * by it, schema_write_fields() writes what the same decoder would read. So each
 * decoder that keeps what it reads has a writer, in the table of schema_write.c.
 */
#pragma once

#include "json.h"
#include "names.h"
#include "schema.h"
#include "spec_decode.h"

/* Written even when it is 0 or false; JSON_REQUIRED is, too. */
#define SCHEMA_ALWAYS 0x100u

struct schema_type {
	const char *name; /* HCS's */
	struct json_struct s;
	bool optional; /* no text at all: nothing is given */
	/* where a type has two forms: the members of the one that it is */
	const struct json_field *(*fields_of)(const struct json *root);
	const struct json_field *(*fields_of_doc)(const void *doc);
	/* instead of the table */
	void (*write)(struct jw *w, const void *doc);
};
#define X(T, name) extern const struct schema_type schema_type_##T;
SCHEMA_DOCUMENTS(X)
#undef X

extern const struct schema_type *const schema_types[]; /* NULL-terminated */

int schema_parse(struct arena *a, const struct schema_source *src, const struct schema_type *t,
		 void **ret, struct err *e);
void schema_write(struct jw *w, const struct schema_type *t, const void *doc);
void schema_write_fields(struct jw *w, const struct json_field *fields, const void *obj);
/* One member, under another key if not NULL. */
void schema_write_field(struct jw *w, const char *key, const struct json_field *f,
			const void *obj);
/* The members of what a row stands for; NULL: it is no object or list of such. */
const struct json_field *schema_below(const struct json_field *f);
bool schema_is_unsupported(const struct json_field *f);
bool schema_is_written(const struct json_field *f);

/* ---- rows ----------------------------------------------------------------- */

/* Of a table for the struct OF, which is defined before it and undefined after. */
#define ROW(k, fn, member, flags) JSON_FIELD(k, fn, OF, member, flags)
#define ROW_ARG(k, fn, member, arg) JSON_FIELD_ARG(k, fn, OF, member, 0, arg)
#define ROW_MUST(k, fn, member, arg) JSON_FIELD_ARG(k, fn, OF, member, JSON_REQUIRED | JSON_NONEMPTY, arg)
#define ROW_OPT(k, fn, member) JSON_FIELD_OPT(k, fn, OF, member)
#define ROW_LIST(k, fn, member, arg) JSON_FIELD_LIST(k, fn, OF, member, 0, arg)
#define ROW_LIST_IN(k, fn, sub, member, arg)                                   \
	{ k, fn, offsetof(OF, sub.member), 0, 1 + offsetof(OF, sub.n_##member), arg }

/* ---- decoders ----------------------------------------------------------- */

/* arg of schema_dec_name: the names that are taken, and those that HCS has beside
 * them, NULL-terminated or NULL */
struct schema_choice {
	const struct name *table;
	const char *what; /* "unknown <what> 'Foo'" */
	const char *const *unsupported;
};

/* Anything but null, false, 0, "", [] and {} is not supported; arg: why, or NULL. */
JSON_DECODER(schema_dec_nothing);
#define ROW_NOTHING(k, why) { k, schema_dec_nothing, 0, 0, 0, why }
/* A word of which only one value is what happens here; arg: NULL-terminated list
 * of those, the first is told in errors. Nothing is kept. */
JSON_DECODER(schema_dec_only);
#define ROW_ONLY(k, list) { k, schema_dec_only, 0, 0, 0, list }
/* An object whose members are members of the struct at `offset`, which may be the
 * struct itself; arg: struct json_struct, whose `each` checks it. */
JSON_DECODER(schema_dec_part);
#define ROW_PART(k, s) { k, schema_dec_part, 0, 0, 0, s }

/* The same, written only where `is` says so of the struct; arg: struct schema_variant. */
struct schema_variant {
	struct json_struct s;
	bool (*is)(const void *obj);
};
JSON_DECODER(schema_dec_variant);

JSON_DECODER(schema_dec_path); /* const char *; absolute; "" counts as absent */
JSON_DECODER(schema_dec_name); /* int; arg: struct schema_choice */
JSON_DECODER(schema_dec_names); /* unsigned, 1 << value; arg: struct schema_choice */
JSON_DECODER(schema_dec_time); /* int64_t, nanoseconds */
JSON_DECODER(schema_dec_hostname);
JSON_DECODER(schema_dec_namespace);
JSON_DECODER(schema_dec_container_path); /* absolute, and not the root */
JSON_DECODER(schema_dec_pipe_name);
JSON_DECODER(schema_dec_megabytes); /* uint64_t */
JSON_DECODER(schema_dec_per_10000); /* uint32_t */
JSON_DECODER(schema_dec_count); /* uint32_t: processors */
JSON_DECODER(schema_dec_environment); /* struct kv * and n_ */
JSON_DECODER(schema_dec_console_size); /* struct schema_process */
JSON_DECODER(schema_dec_version); /* struct schema_version */
JSON_DECODER(schema_dec_value); /* const struct json * */
JSON_DECODER(schema_dec_oci); /* struct schema_oci_form: document and spec */
JSON_DECODER(schema_dec_oci_process); /* struct schema_process: oci_document and oci */
JSON_DECODER(schema_dec_queries); /* struct schema_named_query * and n_; arg: schema_choice */
JSON_DECODER(schema_dec_signal); /* int */
JSON_DECODER(schema_dec_responses); /* struct schema_properties */
JSON_DECODER(schema_dec_service_responses); /* struct schema_service_properties */

/* Properties has itself in its PropertyResponses, in parts: the member that a name
 * stands for. */
const struct json_field *schema_response_row(const char *name);
extern const struct json_field schema_properties_fields[];
extern const struct json_field schema_service_value_fields[];
extern const struct json_field schema_result_error_fields[];

/* ---- what several documents have ---------------------------------------- */

extern const struct json_struct schema_processor_struct;
extern const struct json_struct schema_process_struct;
extern const struct json_struct schema_directory_struct; /* schema 2.x */
extern const struct json_struct schema_directory_v1_struct;
extern const struct json_struct schema_pipe_struct;
extern const struct json_struct schema_pipe_v1_struct;
extern const struct json_field schema_version_fields[];
extern const struct json_field schema_system_v1_fields[];

int schema_check_system_v1(struct json_dec *d, const struct json *v, struct schema_system *s);
/* How many there are of MappedDirectories, MappedPipes and Layers in `v`. */
int schema_check_lists(struct json_dec *d, const struct json *v);
int schema_check_host_path(struct json_dec *d, const struct json *v, void *obj);
/* What a document of OCI's must have here, and must not. */
int schema_check_oci(struct json_dec *d, const struct json *document, const struct spec *spec);
/* Count, Weight and Maximum, or what they are called: at most one of them. */
int schema_check_processor(struct json_dec *d, const struct json *v,
			   const struct schema_processor *p, const char *const keys[3]);
/* Whether a member is there, and not null; and none of the values that ask for
 * nothing. */
bool schema_is_there(const struct json *object, const char *key);
bool schema_is_given(const struct json *object, const char *key);
