/* Reading, decoding and writing JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "err.h"
#include "json.h"
#include "mem.h"
#include "str.h"

/* ---- what is refused -------------------------------------------------- */

static const struct {
	const char *text, *words;
} bad[] = {
	{ "", "x:1:1: unexpected end of data" },
	{ " \n ", "x:2:2: unexpected end of data" },
	{ "{", "x:1:2: unexpected end of data" },
	{ "[1,\n", "x:2:1: unexpected end of data" },
	{ "{\"a\":", "x:1:6: unexpected end of data" },
	{ "{\"a\":1,}", "x:1:8: unexpected character" },
	{ "[1,]", "x:1:4: unexpected character" },
	{ "[1 2]", "x:1:4: array value separator ',' expected" },
	{ "{\"a\":1 \"b\":2}", "x:1:8: object value separator ',' expected" },
	{ "{\"a\" 1}", "x:1:6: object property name separator ':' expected" },
	{ "{1:2}", "x:1:2: quoted object property name expected" },
	{ "}", "x:1:1: unexpected character" },
	{ "[}", "x:1:2: unexpected character" },
	{ "{}{}", "x:1:3: unexpected character" },
	{ "{} x", "x:1:4: an unknown word: only true, false and null exist" },
	{ "{}\n\n  ]", "x:3:3: unexpected character" },
	{ "NaN", "x:1:1: an unknown word: only true, false and null exist" },
	{ "[Infinity]", "x:1:2: an unknown word: only true, false and null exist" },
	{ "[-Infinity]", "x:1:3: a number without digits" },
	{ "[True]", "x:1:2: an unknown word: only true, false and null exist" },
	{ "[nul]", "x:1:2: an unknown word: only true, false and null exist" },
	{ "{'a':1}", "x:1:2: a single quote: strings are in double quotes" },
	{ "{\"a\":'b'}", "x:1:6: a single quote: strings are in double quotes" },
	{ "// c\n1", "x:1:1: comments are not allowed" },
	{ "[1 /* c */]", "x:1:4: comments are not allowed" },
	{ "# c", "x:1:1: comments are not allowed" },
	{ "\"a\tb\"", "x:1:3: a control character in a string" },
	{ "[\"a\n\"]", "x:1:4: a control character in a string" },
	{ "\"a\x1f\"", "x:1:3: a control character in a string" },
	{ "[\x01]", "x:1:2: an unexpected character" },
	{ "\xef\xbb\xbf{}", "x:1:1: an unexpected character" },
	{ "[\"\xc3\xa4\", \xc3\xa4]", "x:1:7: an unexpected character" },
	{ "[+1]", "x:1:2: an unexpected character" },
	{ "[.5]", "x:1:2: an unexpected character" },
	{ "[01]", "x:1:2: a number with a leading zero" },
	{ "[-007]", "x:1:3: a number with a leading zero" },
	{ "[00]", "x:1:2: a number with a leading zero" },
	{ "[1.]", "x:1:4: a number without digits after the point" },
	{ "[1.e5]", "x:1:4: a number without digits after the point" },
	{ "[1e]", "x:1:4: a number without digits in the exponent" },
	{ "[1e+]", "x:1:5: a number without digits in the exponent" },
	{ "[-]", "x:1:3: a number without digits" },
	{ "[0x10]", "x:1:3: an unknown word: only true, false and null exist" },
	{ "[18446744073709551616]", "x:1:2: a number that does not fit into 64 bits" },
	{ "[1180591620717411303424]", "x:1:2: a number that does not fit into 64 bits" },
	{ "[-9223372036854775809]", "x:1:2: a number that does not fit into 64 bits" },
	{ "[\n1,\n1e999]", "x:3:1: a number that does not fit into a double" },
	{ "[-1e999]", "x:1:2: a number that does not fit into a double" },
	{ "\"abc", "x:1:5: a string does not end" },
	{ "\"abc\\", "x:1:6: a string does not end" },
	{ "\"\\x\"", "x:1:3: unknown escape in a string" },
	{ "\"\\'\"", "x:1:3: unknown escape in a string" },
	{ "\"\\u12\"", "x:1:3: '\\u' without four hexadecimal digits" },
	{ "\"\\u12g4\"", "x:1:3: '\\u' without four hexadecimal digits" },
	{ "\"\\u", "x:1:3: '\\u' without four hexadecimal digits" },
	{ "\"\\u0000\"", "x:1:3: a string contains a NUL character" },
	{ "\"\\ud800\"", "x:1:3: half of a surrogate pair" },
	{ "\"\\udc00\"", "x:1:3: half of a surrogate pair" },
	{ "\"\\ud800\\u0041\"", "x:1:3: half of a surrogate pair" },
	{ "\"\\ud800\\n1234\"", "x:1:3: half of a surrogate pair" },
	{ "\"\xff\"", "x:1:2: bytes in a string that are not UTF-8" },
	{ "\"a\xc3\"", "x:1:3: bytes in a string that are not UTF-8" },
	{ "\"\x80\"", "x:1:2: bytes in a string that are not UTF-8" },
	{ "\"\xc1\xa4\"", "x:1:2: bytes in a string that are not UTF-8" },
	{ "\"\xe0\x80\xaf\"", "x:1:2: bytes in a string that are not UTF-8" },
	{ "\"\xed\xa0\x80\"", "x:1:2: bytes in a string that are not UTF-8" },
	{ "\"\xf0\x80\x80\xaf\"", "x:1:2: bytes in a string that are not UTF-8" },
	{ "\"\xf4\x90\x80\x80\"", "x:1:2: bytes in a string that are not UTF-8" },
	{ "{\"a\":1,\"a\":1}", "x:1:8: duplicate key \"a\"" },
	{ "{\"a\":1,\n \"b\":2,\n \"\\u0061\":3}", "x:3:2: duplicate key \"\\u0061\"" },
	{ "{\"\\u00e4\":1,\"\xc3\xa4\":2}", "x:1:13: duplicate key \"\xc3\xa4\"" },
	{ "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", "x:1:19: duplicate key \"\xf0\x9f\x98\x80\"" },
	{ "{\"\\u20ac\":1,\"\\u20AC\":2}", "x:1:13: duplicate key \"\\u20AC\"" },
	{ "{\"\\u00e4\":1,\"\\u00E4\":2}", "x:1:13: duplicate key \"\\u00E4\"" },
	{ "{\"\\ud83d\\ude00\":1,\"x\":{\"a\":{},\"a\":[]}}", "x:1:31: duplicate key \"a\"" },
	{ "{\"\\n\":1,\"\\u000a\":2}", "x:1:9: duplicate key \"\\u000a\"" },
	{ "[[{\"x\":{\"y\":[1,{\"z\":1,\"q\":2,\"z\":3}]}}]]", "x:1:29: duplicate key \"z\"" },
	/* the inner object of the first "a" is gone from the tree */
	{ "{\"a\":{\"x\":1},\"b\":{},\"a\":{\"y\":1}}", "x:1:21: duplicate key \"a\"" },
	{ "{\"b\":{\"c\":1,\"c\":2},\"a\":1}", "x:1:13: duplicate key \"c\"" },
	{ "{\"\":1,\"\":2}", "x:1:7: duplicate key \"\"" },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		size_t len = strlen(bad[i].text);
		/* Not terminated and of exact size: a read past the end is seen. */
		OWN_STR text = malloc(len + 1);
		struct json_doc doc;
		struct err e = { 0 };

		memcpy(text, bad[i].text, len + 1);
		text = realloc(text, len ? len : 1);
		assert_int_equal(json_parse(&a, text, len, "x", &doc, &e), -EINVAL);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_string_equal(e.msg, bad[i].words);
	}
}

static void test_nul_in_text(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct json_doc doc;
	struct err e;

	(void)state;
	assert_true(json_parse(&a, "{}\0", 3, "x", &doc, &e) < 0);
	assert_string_equal(e.msg, "x:1:3: an unexpected character");
	assert_true(json_parse(&a, "\"a\0b\"", 5, "x", &doc, &e) < 0);
	assert_string_equal(e.msg, "x:1:3: a control character in a string");
	assert_true(json_parse(&a, "{", 1, NULL, &doc, NULL) < 0);
}

/* ---- bombs ------------------------------------------------------------ */

static int parse_repeated(const char *head, const char *body, size_t n, const char *tail, struct err *e)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb b = SB_INIT;
	struct json_doc doc;

	sb_puts(&b, head);
	for (size_t i = 0; i < n; i++)
		sb_puts(&b, body);
	sb_puts(&b, tail);
	assert_false(b.failed);
	return json_parse(&a, b.s, b.len, "x", &doc, e);
}

static void test_depth(void **state)
{
	char close[65];
	struct err e;

	(void)state;
	memset(close, ']', 64);
	close[64] = '\0';
	assert_true(parse_repeated("", "[", 64, close, &e) >= 0);
	assert_true(parse_repeated("", "[", 65, "]", &e) < 0);
	assert_string_equal(e.msg, "x:1:65: nested too deeply");
	assert_true(parse_repeated("", "{\"a\":", 100000, "1", &e) < 0);
	assert_string_equal(e.msg, "x:1:321: nested too deeply");
	assert_true(parse_repeated("", "[", 1000000, "", &e) < 0);
}

static void test_size(void **state)
{
	struct err e;

	(void)state;
	assert_true(parse_repeated("\"", "a", JSON_MAX_SIZE - 2, "\"", &e) >= 0);
	assert_true(parse_repeated("\"", "a", JSON_MAX_SIZE - 1, "\"", &e) < 0);
	assert_string_equal(e.msg, "x: larger than 4194304 bytes");
	assert_true(parse_repeated("[", "1,", JSON_MAX_VALUES - 2, "1]", &e) >= 0);
	assert_true(parse_repeated("[", "1,", JSON_MAX_VALUES, "1]", &e) < 0);
	assert_non_null(strstr(e.msg, "too many values"));
	/* The worst for finding duplicates: all equal, at the end of a big one. */
	assert_true(parse_repeated("{\"b\":0", ",\"a\":1", 200000, "}", &e) < 0);
	assert_string_equal(e.msg, "x:1:14: duplicate key \"a\"");
}

/* ---- values ----------------------------------------------------------- */

static void test_values(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	static const char text[] =
		"{ \"n\": null, \"t\": true, \"i\": -9223372036854775808, \"u\": 18446744073709551615,\n"
		"\"d\": 1.50, \"s\": \"a\\\"\\u00e4\\ud83d\\ude00\\/\", \"l\": [1, [], {}],"
		"\"z\": -0, \"big\": 9007199254740993 }\n";
	struct json_doc doc;
	struct err e;
	const struct json *r;

	(void)state;
	assert_int_equal(json_parse(&a, text, sizeof text - 1, "x", &doc, &e), 0);
	r = doc.root;
	assert_int_equal(r->type, JSON_OBJECT);
	assert_int_equal(r->n, 9);
	assert_int_equal(json_get(r, "n")->type, JSON_NULL);
	assert_true(json_get(r, "t")->type == JSON_BOOL && json_get(r, "t")->b);
	assert_true(json_i64(json_get(r, "i"), 0) == INT64_MIN);
	assert_true(json_get(r, "u")->u == UINT64_MAX);
	assert_true(json_i64(json_get(r, "u"), 7) == 7);
	assert_true(json_i64(json_get(r, "big"), 0) == 9007199254740993);
	assert_int_equal(json_get(r, "d")->type, JSON_DOUBLE);
	assert_true(json_i64(json_get(r, "z"), 1) == 0);
	assert_string_equal(json_string(json_get(r, "s"), ""), "a\"\xc3\xa4\xf0\x9f\x98\x80/");
	assert_int_equal(json_get(r, "s")->n, 9);
	assert_true(json_i64(json_at(json_get(r, "l"), 0), 0) == 1);
	assert_null(json_at(json_get(r, "l"), 3));
	assert_int_equal(json_line(&doc, json_get(r, "i")), 1);
	assert_int_equal(json_line(&doc, json_at(json_get(r, "l"), 2)), 2);
	assert_string_equal(json_print(&a, r),
			    "{\"n\":null,\"t\":true,\"i\":-9223372036854775808,\"u\":18446744073709551615,\"d\":1.50,"
			    "\"s\":\"a\\\"\xc3\xa4\xf0\x9f\x98\x80/\",\"l\":[1,[],{}],"
			    "\"z\":0,\"big\":9007199254740993}");
}

static void test_null_safe(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	char buf[8];

	(void)state;
	assert_null(json_get(NULL, "a"));
	assert_null(json_at(NULL, 0));
	assert_string_equal(json_string(NULL, "x"), "x");
	assert_true(json_i64(NULL, 3) == 3);
	assert_string_equal(json_type_name(NULL), "nothing");
	assert_string_equal(json_pointer(NULL, buf, sizeof buf), "");
	assert_int_equal(json_line(NULL, NULL), 0);
	assert_string_equal(json_print(&a, NULL), "null");
}

static void test_scalars(void **state)
{
	static const char *const good[] = { "1", "-1", "0", "1e5", "1E-5", "0.5", "\"\"", "true", "false", "null",
					    " 1 ", "\t[]\r\n", "18446744073709551615", "-9223372036854775808" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		struct json_doc doc;
		struct err e;

		assert_int_equal(json_parse(&a, good[i], strlen(good[i]), "x", &doc, &e), 0);
	}
}

/* ---- pointers and lines ----------------------------------------------- */

static void test_pointer(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	static const char text[] =
		"{\n \"skip\": {\"x\": [\"}\", \"\\\"]\"]},\n \"a/b\": [\n  1,\n  {\"~\":\n \"v\"}]}";
	struct json_doc doc;
	struct err e;
	const struct json *v;
	char buf[64];

	(void)state;
	assert_int_equal(json_parse(&a, text, sizeof text - 1, "x", &doc, &e), 0);
	v = json_get(json_at(json_get(doc.root, "a/b"), 1), "~");
	assert_string_equal(json_pointer(v, buf, sizeof buf), "/a~1b/1/~0");
	assert_int_equal(json_line(&doc, v), 5);
	assert_string_equal(json_pointer(v, buf, 6), "/a~1b");
	assert_int_equal(json_line(&doc, json_at(v->parent->parent, 0)), 4);
	assert_int_equal(json_line(&doc, v->parent->parent), 3);
	assert_int_equal(json_line(&doc, doc.root), 1);
}

/* ---- decoding --------------------------------------------------------- */

struct item {
	char *name;
	bool has_n;
	int64_t n;
};

struct thing {
	char *s;
	bool b;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	int32_t i32;
	int64_t i64;
	char **list;
	size_t n_list;
	uint32_t *ids;
	size_t n_ids;
	struct item one, *items, *other;
	size_t n_items;
};

static const struct json_field item_fields[] = {
	JSON_FIELD("name", json_dec_string, struct item, name, JSON_REQUIRED | JSON_NONEMPTY),
	JSON_FIELD_OPT("n", json_dec_i64, struct item, n),
	{ 0 }
};
static int check_item(struct json_dec *d, const struct json *v, void *obj)
{
	const struct item *it = obj;

	return it->n == 13 ? json_fail_at(d, v, "/n", "unlucky") : 0;
}
static const struct json_struct item_struct = { sizeof(struct item), item_fields, check_item };

static const struct json_field thing_fields[] = {
	JSON_FIELD("s", json_dec_string, struct thing, s, 0),
	JSON_FIELD("b", json_dec_bool, struct thing, b, 0),
	JSON_FIELD("u16", json_dec_u16, struct thing, u16, 0),
	JSON_FIELD("u32", json_dec_u32, struct thing, u32, JSON_POSITIVE),
	JSON_FIELD("u64", json_dec_u64, struct thing, u64, 0),
	JSON_FIELD("i32", json_dec_i32, struct thing, i32, 0),
	JSON_FIELD("i64", json_dec_i64, struct thing, i64, 0),
	JSON_FIELD_LIST("list", json_dec_strings, struct thing, list, JSON_NONEMPTY, NULL),
	JSON_FIELD_LIST("ids", json_dec_u32s, struct thing, ids, 0, NULL),
	JSON_FIELD_ARG("one", json_dec_object, struct thing, one, 0, item_fields),
	JSON_FIELD_ARG("other", json_dec_pointer, struct thing, other, 0, &item_struct),
	JSON_FIELD_LIST("items", json_dec_list, struct thing, items, 0, &item_struct),
	{ 0 }
};

static int decode_thing(struct arena *a, const char *text, bool strict, struct thing *t, struct err *e)
{
	struct json_doc doc;
	struct json_dec d = { .doc = &doc, .a = a, .refuse_unknown = strict, .e = e };
	int r = json_parse(a, text, strlen(text), "x", &doc, e);

	if (r >= 0)
		r = json_decode(&d, doc.root, thing_fields, t);
	assert_int_equal(r < 0 ? r : 0, r < 0 && !d.failed ? r : json_dec_end(&d));
	return r;
}

static void test_decode(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct thing t = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(decode_thing(&a,
				      "{\"s\":\"x\",\"b\":true,\"u16\":65535,\"u32\":4294967295,"
				      "\"u64\":18446744073709551615,\"i32\":-2147483648,\"i64\":9223372036854775807,"
				      "\"list\":[\"a\",\"b\"],\"ids\":[1,2,3],\"one\":{\"name\":\"n\"},"
				      "\"other\":{\"name\":\"o\",\"n\":0},"
				      "\"items\":[{\"name\":\"p\"},{\"name\":\"q\",\"n\":-1}]}",
				      true, &t, &e),
			 0);
	assert_string_equal(t.s, "x");
	assert_true(t.b && t.u16 == 65535 && t.u32 == UINT32_MAX && t.u64 == UINT64_MAX);
	assert_true(t.i32 == INT32_MIN && t.i64 == INT64_MAX);
	assert_int_equal(t.n_list, 2);
	assert_null(t.list[2]);
	assert_int_equal(t.n_ids, 3);
	assert_int_equal(t.ids[2], 3);
	assert_string_equal(t.one.name, "n");
	assert_false(t.one.has_n);
	assert_true(t.other->has_n);
	assert_int_equal(t.n_items, 2);
	assert_true(t.items[1].n == -1);
}

static void test_decode_null(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct thing t = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(decode_thing(&a, "{\"s\":null,\"items\":null,\"list\":null,\"other\":null}", true, &t, &e), 0);
	assert_null(t.s);
	assert_null(t.other);
	assert_int_equal(decode_thing(&a, "{\"unknown\":1}", false, &t, &e), 0);
}

static const struct {
	const char *text, *words;
} bad_things[] = {
	{ "[]", "x: line 1: must be an object, not a list" },
	{ "{\"s\":1}", "x: line 1: /s: must be a string, not a whole number" },
	{ "{\"s\":{}}", "x: line 1: /s: must be a string, not an object" },
	{ "{\"b\":0}", "x: line 1: /b: must be true or false, not a whole number" },
	{ "{\"u16\":65536}", "x: line 1: /u16: must be at most 65535" },
	{ "{\"u16\":-1}", "x: line 1: /u16: must not be negative" },
	{ "{\"u32\":4294967296}", "x: line 1: /u32: must be at most 4294967295" },
	{ "{\"u32\":0}", "x: line 1: /u32: must not be 0" },
	{ "{\"u64\":-1}", "x: line 1: /u64: must not be negative" },
	{ "{\"u64\":1.0}", "x: line 1: /u64: must be a whole number, not a number with a fraction" },
	{ "{\"u64\":1e3}", "x: line 1: /u64: must be a whole number, not a number with a fraction" },
	{ "{\"u64\":\"1\"}", "x: line 1: /u64: must be a whole number, not a string" },
	{ "{\"i32\":2147483648}", "x: line 1: /i32: must be between -2147483648 and 2147483647" },
	{ "{\"i32\":-2147483649}", "x: line 1: /i32: must be between -2147483648 and 2147483647" },
	{ "{\"i64\":9223372036854775808}",
	  "x: line 1: /i64: must be between -9223372036854775808 and 9223372036854775807" },
	{ "{\"list\":[]}", "x: line 1: /list: must not be empty" },
	{ "{\"list\":{}}", "x: line 1: /list: must not be empty" },
	{ "{\"list\":{\"a\":1}}", "x: line 1: /list: must be a list, not an object" },
	{ "{\"list\":[\"a\",\nnull]}", "x: line 2: /list/1: must be a string, not null" },
	{ "{\"ids\":[1,\n\n-2]}", "x: line 3: /ids/1: must not be negative" },
	{ "{\"one\":{}}", "x: line 1: /one/name: is missing" },
	{ "{\n\"one\":{\"name\":null}}", "x: line 2: /one/name: is missing" },
	{ "{\"one\":{\"name\":\"\"}}", "x: line 1: /one/name: must not be empty" },
	{ "{\"other\":[]}", "x: line 1: /other: must be an object, not a list" },
	{ "{\"items\":[{\"name\":\"a\"},\n{\"name\":\"b\",\"n\":13}]}", "x: line 2: /items/1/n: unlucky" },
	{ "{\"items\":[1]}", "x: line 1: /items/0: must be an object, not a whole number" },
	{ "{\n \"s\":\"\",\n \"a/b~c\":1}", "x: line 3: /a~1b~0c: unknown key" },
};

static void test_decode_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_things); i++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		struct thing t = { 0 };
		struct err e = { 0 };

		assert_int_equal(decode_thing(&a, bad_things[i].text, true, &t, &e), -EINVAL);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_string_equal(e.msg, bad_things[i].words);
	}
}

static void collect(void *ctx, const char *pointer, int line, const char *words)
{
	struct sb *b = ctx;

	sb_printf(b, "%d %s %s\n", line, pointer, words);
}

static void test_collect(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb b = SB_INIT;
	static const char text[] =
		"{\"s\":1,\n\"zzz\":1,\n\"list\":[1,\"a\",2],\n\"items\":[{},{\"name\":1,\"n\":13}]}";
	struct json_doc doc;
	struct err e;
	struct thing t = { 0 };

	(void)state;
	assert_int_equal(json_parse(&a, text, sizeof text - 1, "x", &doc, &e), 0);
	struct json_dec d = { .doc = &doc, .a = &a, .refuse_unknown = true, .add = collect, .ctx = &b, .e = &e };
	assert_int_equal(json_decode(&d, doc.root, thing_fields, &t), 0);
	assert_int_equal(json_dec_end(&d), -EINVAL);
	assert_string_equal(b.s,
			    "1 /s must be a string, not a whole number\n"
			    "2 /zzz unknown key\n"
			    "3 /list/0 must be a string, not a whole number\n"
			    "3 /list/2 must be a string, not a whole number\n"
			    "4 /items/0/name is missing\n"
			    "4 /items/1/name must be a string, not a whole number\n"
			    "4 /items/1/n unlucky\n");
	assert_string_equal(e.msg, "x: line 1: /s: must be a string, not a whole number");
	assert_int_equal(t.n_list, 1);
	assert_string_equal(t.list[0], "a");
}

static void test_collect_bound(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb b = SB_INIT, out = SB_INIT;
	struct json_doc doc;
	struct err e;
	struct thing t = { 0 };

	(void)state;
	sb_puts(&b, "{\"list\":[1");
	for (int i = 0; i < 5000; i++)
		sb_puts(&b, ",1");
	sb_puts(&b, "]}");
	assert_int_equal(json_parse(&a, b.s, b.len, "x", &doc, &e), 0);
	struct json_dec d = { .doc = &doc, .a = &a, .add = collect, .ctx = &out, .e = &e };
	assert_int_equal(json_decode(&d, doc.root, thing_fields, &t), -EINVAL);
	assert_int_equal(d.n_problems, JSON_MAX_PROBLEMS);
	sb_done(&out);
}

static void test_no_memory(void **state)
{
	static const char text[] = "{\"list\":[\"a\",\"b\"],\"items\":[{\"name\":\"p\"}],\"other\":{\"name\":\"q\"}}";

	(void)state;
	for (size_t max = 1; max < 4096; max += 16) {
		OWN_ARENA struct arena a = { .max = max };
		struct thing t = { 0 };
		struct err e = { 0 };
		int r = decode_thing(&a, text, true, &t, &e);

		if (r == 0)
			return;
		assert_int_equal(r, -ENOMEM);
		assert_true(e.msg[0]);
	}
	fail();
}

/* ---- writing ---------------------------------------------------------- */

static void write_all(struct jw *w)
{
	char *strs[] = { (char[]){ "x" }, NULL };

	jw_begin(w, '{');
	jw_kstr(w, "s", "a\"\\\b\f\n\r\t\x01\x7f\xc3\xa4\xff\xed\xa0\x80\xc0\xaf");
	jw_kstr(w, "null", NULL);
	jw_kint(w, "i", INT64_MIN);
	jw_kuint(w, "u", UINT64_MAX);
	jw_kbool(w, "b", false);
	jw_kbegin(w, "empty", '{');
	jw_end(w);
	jw_kbegin(w, "list", '[');
	jw_end(w);
	jw_kbegin(w, "more", '[');
	jw_int(w, 1);
	jw_begin(w, '[');
	jw_double(w, 0.1);
	jw_double(w, NAN);
	jw_double(w, 1e300);
	jw_end(w);
	jw_end(w);
	jw_kstrs(w, "strs", strs, 1);
	jw_end(w);
}

static void test_write(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb b = SB_INIT;
	struct json_doc doc;
	struct err e;
	struct jw w;

	(void)state;
	jw_init(&w, &b, NULL);
	write_all(&w);
	assert_string_equal(b.s,
			    "{\"s\":\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007f\xc3\xa4"
			    "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\","
			    "\"null\":null,\"i\":-9223372036854775808,\"u\":18446744073709551615,\"b\":false,"
			    "\"empty\":{},\"list\":[],\"more\":[1,[0.1,null,1e+300]],\"strs\":[\"x\"]}");
	assert_int_equal(json_parse(&a, b.s, b.len, "x", &doc, &e), 0);
}

static void test_write_indented(void **state)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	(void)state;
	jw_init(&w, &b, "  ");
	jw_begin(&w, '{');
	jw_kbegin(&w, "a", '[');
	jw_int(&w, 1);
	jw_int(&w, 2);
	jw_end(&w);
	jw_kbegin(&w, "b", '{');
	jw_end(&w);
	jw_end(&w);
	jw_end(&w); /* one too many does nothing */
	assert_string_equal(b.s, "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}");
}

static void test_write_depth(void **state)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	(void)state;
	jw_init(&w, &b, NULL);
	for (int i = 0; i < JSON_MAX_DEPTH + 1; i++)
		jw_begin(&w, '[');
	assert_true(b.failed);
}

/* What is left out becomes null, whatever is in it; all else stays to the byte. */
static void test_without(void **state)
{
	static const struct json_member out[] = {
		{ "mounts", NULL }, { "linux", "resources" }, { "linux", "devices" }, { NULL, NULL },
	};
	static const struct {
		const char *text, *want;
	} t[] = {
		{ "{}", "{}" },
		{ "", "" },
		{ "[{\"mounts\":[1,2,3]}]", "[{\"mounts\":[1,2,3]}]" },
		{ " { \"mounts\" : [ {\"a\": \"]}\\\"\"} ] , \"b\": 1 }\n", " { \"mounts\" : null , \"b\": 1 }\n" },
		{ "{\"mounts\":[]}", "{\"mounts\":[]}" }, /* nothing to win */
		{ "{\"a\":{\"mounts\":\"stays\"},\"mounts\":\"12345\"}",
		  "{\"a\":{\"mounts\":\"stays\"},\"mounts\":null}" },
		{ "{\"linux\":{\"resources\":{\"x\":{}},\"seccomp\":{\"devices\":[0,0,0]},"
		  "\"devices\":[1,[2],3]},\"z\":\"\"}",
		  "{\"linux\":{\"resources\":null,\"seccomp\":{\"devices\":[0,0,0]},\"devices\":null},\"z\":\"\"}" },
		{ "{\"linux\":[\"resources\"],\"resources\":[1,2,3]}",
		  "{\"linux\":[\"resources\"],\"resources\":[1,2,3]}" },
		{ "{\"mount\\u0073\":[1,2,3]}", "{\"mount\\u0073\":[1,2,3]}" },
		/* not JSON: for the parser to say */
		{ "{\"mounts\":[1,22", "{\"mounts\":null" },
		{ "{\"mounts", "{\"mounts" },
		{ "{\"linux\":{\"resources\":", "{\"linux\":{\"resources\":" },
		{ "{\"a\\", "{\"a\\" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		size_t len;
		char *got = json_text_without(&a, t[i].text, strlen(t[i].text), out, &len);

		assert_non_null(got);
		assert_int_equal(len, strlen(got));
		assert_string_equal(got, t[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_nul_in_text),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_null_safe),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_pointer),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_decode_null),
		cmocka_unit_test(test_decode_bad),
		cmocka_unit_test(test_collect),
		cmocka_unit_test(test_collect_bound),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_indented),
		cmocka_unit_test(test_write_depth),
		cmocka_unit_test(test_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
