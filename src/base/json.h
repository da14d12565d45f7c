/*
 * JSON: reading, decoding by tables, writing. The only door to the parser
 * behind it; everything that is read lives in an arena and stays valid after
 * the text is gone (only line numbers in errors need the text).
 *
 * Reading is strict: UTF-8, depth 64, 4 MiB, 256 Ki values, no duplicate keys,
 * no NaN, comments, trailing commas, single quotes, raw control characters,
 * NUL, lone surrogates, leading zeros or integers beyond 64 bits, and nothing
 * after the document. What is wrong is told as "name:line:column: words".
 *
 * Decoding goes by tables. A row says key, decoder, place, flags:
 *
 *	static const struct json_field point_fields[] = {
 *		JSON_FIELD("x", json_dec_i32, struct point, x, JSON_REQUIRED),
 *		JSON_FIELD_OPT("y", json_dec_i32, struct point, y), // sets has_y
 *		{ 0 },
 *	};
 *	struct json_doc doc;
 *	r = json_parse(&a, text, len, "point.json", &doc, e);
 *	struct json_dec d = { .doc = &doc, .a = &a, .refuse_unknown = true, .e = e };
 *	r = json_decode(&d, doc.root, point_fields, &point);
 *
 * An error then reads "point.json: line 2: /x: must be a whole number".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct sb;

#define JSON_MAX_DEPTH 64
#define JSON_MAX_SIZE ((size_t)4 << 20)
#define JSON_MAX_VALUES ((size_t)256 << 10)

/* ---- values ----------------------------------------------------------- */

enum json_type { JSON_NULL, JSON_BOOL, JSON_INT, JSON_DOUBLE, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	uint8_t type; /* enum json_type */
	bool negative; /* JSON_INT: `i` is the value, else `u` */
	uint32_t n; /* bytes of a string, items of an array, members of an object */
	const char *key; /* in the object that holds it, else NULL */
	const struct json *parent; /* NULL: the root */
	union {
		bool b;
		int64_t i;
		uint64_t u;
		const char *s; /* JSON_STRING; JSON_DOUBLE: as it was written */
		struct json *items; /* JSON_ARRAY and JSON_OBJECT, in document order */
	};
};

struct json_doc {
	const struct json *root;
	const char *name; /* what the document is called in errors; borrowed */
	const char *text; /* borrowed: must live while errors may be reported */
	size_t len;
};

int json_parse(struct arena *a, const char *text, size_t len, const char *name,
	       struct json_doc *ret, struct err *e);

/* A copy of a text that was read before, with null for members that are not
 * needed now: most of the work of reading is to build the tree. Ends with a row
 * without key. NULL: out of memory. */
struct json_member {
	const char *key, *below; /* "linux", "resources": /linux/resources; NULL: all of `key` */
};
char *json_text_without(struct arena *a, const char *text, size_t len,
			const struct json_member *out, size_t *ret_len);

/* Accept NULL and the wrong type: NULL, or the default, comes back. */
const struct json *json_get(const struct json *object, const char *key);
const struct json *json_at(const struct json *array, size_t i); /* item, or member of an object */
const char *json_string(const struct json *v, const char *otherwise);
int64_t json_i64(const struct json *v, int64_t otherwise);
/* "a string", "an object", ...: for messages. */
const char *json_type_name(const struct json *v);

/* "/linux/mounts/3/options/0" of a value, escaped as RFC 6901 says. Returns
 * buf, cut at cap. */
const char *json_pointer(const struct json *v, char *buf, size_t cap);
/* The line a value starts on (that of its key), from 1; 0: unknown. */
int json_line(const struct json_doc *doc, const struct json *v);
void json_place(const struct json_doc *doc, const struct json *v, int *line, int *column);

/* ---- decoding by table ------------------------------------------------ */

/* One decoding. Without `add` the first problem ends it; with `add` every
 * problem is reported there and decoding goes on (what was wrong stays zero).
 * Either way the first problem is put into `e`. */
struct json_dec {
	const struct json_doc *doc;
	struct arena *a;
	bool refuse_unknown; /* unknown keys: a problem instead of ignored */
	bool columns; /* problems are at "name:line:column", as the parser's, not "name: line" */
	bool unknown_unsupported; /* unknown keys: something that is not supported */
	void (*add)(void *ctx, const char *pointer, int line, const char *words);
	void *ctx;
	void *user; /* the caller's */
	struct err *e;
	/* inside: */
	int failed; /* what the first problem returned */
	size_t n_problems; /* stops at JSON_MAX_PROBLEMS */
};
#define JSON_MAX_PROBLEMS 200

struct json_field;
/* Decodes `v` to `obj` + f->offset. < 0 ends the decoding. */
#define JSON_DECODER(name)                                                     \
	int name(struct json_dec *d, const struct json *v,                     \
		 const struct json_field *f, void *obj)

#define JSON_REQUIRED 1u /* absent (or null) is a problem */
#define JSON_NONEMPTY 2u /* "" , [] or {} is a problem */
#define JSON_POSITIVE 4u /* numbers: 0 is a problem */

struct json_field {
	const char *key; /* NULL ends the table */
	JSON_DECODER((*decode));
	size_t offset; /* of the value in the struct */
	unsigned flags;
	size_t aux; /* 1 + offset of has_x (bool) or of n_x (size_t); 0: none */
	const void *arg; /* for the decoder */
};

#define JSON_FIELD(k, fn, type, member, fl)                                    \
	{ k, fn, offsetof(type, member), fl, 0, NULL }
#define JSON_FIELD_ARG(k, fn, type, member, fl, ar)                            \
	{ k, fn, offsetof(type, member), fl, 0, ar }
/* sets has_<member> */
#define JSON_FIELD_OPT(k, fn, type, member)                                    \
	{ k, fn, offsetof(type, member), 0, 1 + offsetof(type, has_##member), NULL }
/* fills <member> and n_<member> */
#define JSON_FIELD_LIST(k, fn, type, member, fl, ar)                           \
	{ k, fn, offsetof(type, member), fl, 1 + offsetof(type, n_##member), ar }

/* A null value counts as absent. The result is < 0 when decoding must end. At
 * the very end ask json_dec_end(): 0, or what the first problem returned. */
int json_decode(struct json_dec *d, const struct json *v,
		const struct json_field *fields, void *obj);
int json_dec_end(const struct json_dec *d);

JSON_DECODER(json_dec_string); /* char * */
JSON_DECODER(json_dec_bool);
JSON_DECODER(json_dec_u16);
JSON_DECODER(json_dec_u32);
JSON_DECODER(json_dec_u64);
JSON_DECODER(json_dec_i32);
JSON_DECODER(json_dec_i64);
JSON_DECODER(json_dec_strings); /* char **, NULL-terminated; JSON_FIELD_LIST */
JSON_DECODER(json_dec_u32s); /* uint32_t *; JSON_FIELD_LIST */
/* A struct in place: arg is its field table. */
JSON_DECODER(json_dec_object);
/* A list of structs, or a pointer to one struct: arg is a struct json_struct. */
JSON_DECODER(json_dec_list);
JSON_DECODER(json_dec_pointer);

struct json_struct {
	size_t size;
	const struct json_field *fields; /* NULL: `each` does everything */
	/* after the fields, for what rows cannot say; may be NULL */
	int (*each)(struct json_dec *d, const struct json *v, void *obj);
};

/* Report a problem with value `v`, or with what is at the relative pointer
 * `rel` ("/size") below it. They return what the decoder must return: 0 when
 * problems are collected, else -EINVAL (or -ENOTSUP). */
int json_fail(struct json_dec *d, const struct json *v, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int json_fail_at(struct json_dec *d, const struct json *v, const char *rel,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int json_unsupported(struct json_dec *d, const struct json *v,
		     const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int json_nomem(struct json_dec *d); /* -ENOMEM, always ends the decoding */
/* Checks the type; true: go on. False: *r is what to return. */
bool json_want(struct json_dec *d, const struct json *v, enum json_type type,
	       int *r);

/* ---- writing ---------------------------------------------------------- */

/* Appends to a struct sb; look at b->failed once at the end. `indent` is NULL
 * for one line, else what one level is indented by ("\t").
 *
 *	struct jw w;
 *	jw_init(&w, &b, "  ");
 *	jw_begin(&w, '{');
 *	jw_kstr(&w, "id", id);
 *	jw_key(&w, "pids");
 *	jw_begin(&w, '[');
 *	jw_int(&w, 7);
 *	jw_end(&w);
 *	jw_end(&w);
 */
struct jw {
	struct sb *b;
	const char *indent;
	unsigned depth;
	bool after_key;
	char close[JSON_MAX_DEPTH];
	bool any[JSON_MAX_DEPTH];
};

void jw_init(struct jw *w, struct sb *b, const char *indent);
void jw_begin(struct jw *w, char open); /* '{' or '[' */
void jw_end(struct jw *w);
void jw_key(struct jw *w, const char *key);
void jw_str(struct jw *w, const char *s); /* NULL writes null; bytes that are not UTF-8 become U+FFFD */
void jw_strn(struct jw *w, const char *s, size_t len);
void jw_int(struct jw *w, int64_t v);
void jw_uint(struct jw *w, uint64_t v);
void jw_double(struct jw *w, double v); /* not finite: null */
void jw_bool(struct jw *w, bool v);
void jw_null(struct jw *w);
void jw_value(struct jw *w, const struct json *v); /* prints what was read */
/* A key and its value. */
void jw_kstr(struct jw *w, const char *key, const char *s);
void jw_kint(struct jw *w, const char *key, int64_t v);
void jw_kuint(struct jw *w, const char *key, uint64_t v);
void jw_kbool(struct jw *w, const char *key, bool v);
void jw_kbegin(struct jw *w, const char *key, char open);
void jw_kstrs(struct jw *w, const char *key, char *const *strs, size_t n);

/* A value on one line, in the arena; NULL: out of memory. */
char *json_print(struct arena *a, const struct json *v);
