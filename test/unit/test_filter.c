/* containerd's filters: what they match, what is refused and in which words. The facts
 * are those of the tests of containerd's own parser and scanner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "err.h"
#include "filter.h"
#include "filter_scan.h"
#include "mem.h"

static const struct thing {
	const char *name, *other;
	const char *labels[6]; /* key, value */
} things[] = {
	{ "foo", NULL, { "foo", "true" } },
	{ "bar", NULL, { NULL } },
	{ "foo", NULL, { "foo", "present", "more complex label", "present" } },
	{ "bar", NULL, { "bar", "true" } },
	{ "fooer", NULL, { "more complex label with \\ and \"", "present" } },
	{ "fooer", NULL, { "more complex label with \\ and \".post", "present" } },
	{ "baz", "too complex, yo", { NULL } },
	{ "bazo", "abc", { NULL } },
	{ "compound", NULL, { "foo", "omg_asdf.asdf-qwer" } },
};

static const char *get(void *ctx, const char *const *path, size_t n)
{
	const struct thing *t = ctx;

	if (!strcmp(path[0], "name"))
		return t->name;
	if (!strcmp(path[0], "other"))
		return t->other;
	if (strcmp(path[0], "labels") != 0)
		return NULL;
	for (size_t i = 0; t->labels[i]; i += 2)
		if (filter_is_key(path + 1, n - 1, t->labels[i]))
			return t->labels[i + 1];
	return NULL;
}

/* Which of the things match, as digits; or the words of the refusal. */
static const char *result(const char *const *texts, size_t n)
{
	static char ret[2048];
	struct filter *f;
	struct err e;
	char *out = ret;

	if (filter_parse(texts, n, &f, &e) < 0) {
		assert_int_equal(e.kind, ERR_INVALID);
		return strcpy(ret, e.msg);
	}
	for (size_t i = 0; i < ARRAY_SIZE(things); i++)
		if (filter_match(f, get, (void *)&things[i]))
			*out++ = (char)('0' + i);
	*out = '\0';
	filter_free(f);
	return ret;
}

#define ERROR "filters: parse error: "

static const struct {
	const char *text, *matches;
} cases[] = {
	{ "", "012345678" },
	{ "name", "012345678" },
	{ "labels.foo", "028" },
	{ "labels.foo,name", "028" },
	{ "labels.foo==true", "0" },
	{ "labels.foo==omg_asdf.asdf-qwer", "8" },
	{ "labels.|foo|==omg_asdf.asdf-qwer",
	  ERROR "[labels. >|||< foo|==omg_asdf.asdf-qwer]: invalid quote encountered" },
	{ "name==bar", "13" },
	{ "name!=bar", "0245678" },
	{ "name==bar,labels.bar", "3" },
	{ "other==\"too complex, yo\"", "6" },
	{ "other~=[abc]+,name!=foo", "67" },
	{ "other~=/[abc]+/,name!=foo", "67" },
	{ "other~=/[abc]{1,2}/,name!=foo", "67" },
	{ "other~=/[abc]{0,1}\"\\//,name!=foo", "" },
	{ "name==bar,labels.bar==true", "3" },
	{ "name==bar,labels.bar==wrong", "" },
	{ "name==foo,labels.\"more complex label\"", "2" },
	{ "labels.\"more complex label with \\\\ and \\\"\"==present", "4" },
	{ "labels.\"more complex label with \\\\ and \\\"\".post==present", "5" },
	{ "labels.?\"more complex label with \\\\ and \\\"\".post==present",
	  ERROR "[labels. >|?|< \"more complex label with \\\\ and \\\"\".post==present]: expected field or quoted" },
	{ "name==foo,", ERROR "[name==foo,]: expected field or quoted" },
	{ "labels.", ERROR "[labels.]: expected field or quoted" },
	{ "image~=,id?=?fbaq", ERROR "[image~= >|,|< id?=?fbaq]: expected value or quoted" },
	{ "labels.ns/key==value", ERROR "[labels.ns >|/|< key==value]: quoted literal not terminated" },
	{ "labels.key==/value", ERROR "[labels.key== >|/|< value]: quoted literal not terminated" },
	/* ours; each was tried with containerd's package, too */
	{ "none", "" },
	{ "none==\"\"", "" },
	{ "none!=\"\"", "" },
	{ "none!=x", "012345678" },
	{ "none~=^$", "012345678" },
	{ "none~=x", "" },
	{ "name~=(", "" },
	{ "name~=|^fo+$|", "02" },
	{ "name~=/f\\/?o/", "0245" },
	{ "name~=\"^b\\x61r$\"", "13" },
	{ "name==\"b\\141r\"", "13" },
	{ "name==\"b\\u0061r\"", "13" },
	{ "name==\"b\\U00000061r\"", "13" },
	{ "name==\"bar\\x00\"", "" },
	{ "name!=\"bar\\x00\",name==bar", "13" },
	{ "\"name\\x00\"", "" },
	{ "\"name\\x00\"!=x", "012345678" },
	{ "name==|bar|", ERROR "[name== >|||< bar|]: invalid quote encountered" },
	{ "name==\"\\400\"", ERROR "[name== >|\"|< \\400\"]: unquoting failed: quote syntax error" },
	{ "name==\"\\U00110000\"", ERROR "[name== >|\"|< \\U00110000\"]: unquoting failed: quote syntax error" },
	{ "name==\"\\q\"", ERROR "[name== >|\"|< \\q\"]: illegal escape sequence" },
	{ "name==\"\\xaz\"", ERROR "[name== >|\"|< \\xaz\"]: illegal numeric escape sequence" },
	{ "name==\"a\nb\"", ERROR "[name== >|\"|< a\nb\"]: quoted literal not terminated" },
	{ "name=bar", ERROR "[name >|=|< bar]: unsupported operator \"=\"" },
	{ "name===bar", ERROR "[name >|=|< ==bar]: unsupported operator \"===\"" },
	{ "name bar", ERROR "[name  >|b|< ar]: expected an operator (\"==\"|\"!=\"|\"~=\")" },
	{ "name == bar", "13" },
	{ " name==bar", "13" },
	{ "name==bar ", ERROR "[name==bar >| |< ]: unexpected input:  " },
	{ "name==bar, labels.bar", "3" },
	{ "name==bar ,labels.bar", ERROR "[name==bar >| |< ,labels.bar]: unexpected input:  " },
	{ "name==\"bar\"x", ERROR "[name==\"bar\" >|x|< ]: unexpected input: x" },
	{ "==bar", ERROR "[ >|=|< =bar]: expected field or quoted" },
	{ "name==", ERROR "[name==]: expected value or quoted" },
	{ "name==.bar", ERROR "[name== >|.|< bar]: expected value or quoted" },
	{ "name~=\xe7\x89\x9b", "" },
	{ "name!=a\xe7\x89\x9b,name==bar", "13" },
	{ "name==a\xe2\x80\x83", ERROR "[name==a >|\xe2|< \x80\x83]: unexpected input: \xe2\x80\x83" },
	{ "name==a\xef\xbf\xbd", ERROR "[name==a >|\xef|< \xbf\xbd]: unexpected input: \xef\xbf\xbd" },
	{ "name==a\xff", ERROR "[name==a >|\xff|< ]: unexpected input: \xef\xbf\xbd" },
	{ "\xef\xbf\xbd", ERROR "[ >|\xef|< \xbf\xbd]: rune error" },
};

static void texts(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(result(&cases[i].text, 1), cases[i].matches);
}

static void several_texts(void **state)
{
	assert_string_equal(result(NULL, 0), "012345678");
	assert_string_equal(result((const char *[]){ "name==bar", "labels.foo" }, 2), "01238");
	assert_string_equal(result((const char *[]){ "name==bar", "" }, 2), "012345678");
	assert_string_equal(result((const char *[]){ "name==bar", "name==" }, 2),
			    ERROR "[name==]: expected value or quoted");
}

/* The words of a very long one are those around the place. */
static void long_texts(void **state)
{
	const char *text, *got;
	char *s = calloc(1, FILTER_TEXTS_MAX + 2);

	memset(s, 'a', 10000);
	s[5000] = '(';
	text = s;
	got = result(&text, 1);
	assert_memory_equal(got, ERROR "[...aaa", strlen(ERROR "[...aaa"));
	assert_non_null(strstr(got, "aaa >|(|< aaa"));
	assert_non_null(strstr(got, "a...]: expected an operator"));
	memset(s, 'a', FILTER_TEXTS_MAX + 1);
	assert_string_equal(result(&text, 1), "filters: longer than 262144 bytes");
	s[FILTER_TEXTS_MAX] = '\0';
	assert_string_equal(result(&text, 1), "");
	free(s);
}

/* ---- the scanner ------------------------------------------------------------- */

#define F(pos, text) { TOKEN_FIELD, pos, text, sizeof text - 1 }
#define V(pos, text) { TOKEN_VALUE, pos, text, sizeof text - 1 }
#define S(pos, text) { TOKEN_SEPARATOR, pos, text, sizeof text - 1 }
#define O(pos, text) { TOKEN_OPERATOR, pos, text, sizeof text - 1 }
#define Q(pos, text) { TOKEN_QUOTED, pos, text, sizeof text - 1 }
#define BAD(pos, text) { TOKEN_ILLEGAL, pos, text, sizeof text - 1 }
#define END(pos) { TOKEN_EOF, pos, "", 0 }

static const struct {
	const char *text, *error;
	struct token tokens[16];
} scans[] = {
	{ "name", NULL, { F(0, "name"), END(4) } },
	{ "name==value,foo!=bar", NULL,
	  { F(0, "name"), O(4, "=="), V(6, "value"), S(11, ","), F(12, "foo"), O(15, "!="), V(17, "bar"), END(20) } },
	{ "name==value,labels.foo=value,other.bar~=match", NULL,
	  { F(0, "name"), O(4, "=="), V(6, "value"), S(11, ","), F(12, "labels"), S(18, "."), F(19, "foo"), O(22, "="),
	    V(23, "value"), S(28, ","), F(29, "other"), S(34, "."), F(35, "bar"), O(38, "~="), V(40, "match"),
	    END(45) } },
	{ "name~=[abc]+,foo=test", NULL,
	  { F(0, "name"), O(4, "~="), V(6, "[abc]+"), S(12, ","), F(13, "foo"), O(16, "="), V(17, "test"), END(21) } },
	{ "name~=[abc]\\+,foo=test", NULL,
	  { F(0, "name"), O(4, "~="), V(6, "[abc]\\+"), S(13, ","), F(14, "foo"), O(17, "="), V(18, "test"),
	    END(22) } },
	{ "name~=/[abc]{0,2}/,foo=test", NULL,
	  { F(0, "name"), O(4, "~="), Q(6, "/[abc]{0,2}/"), S(18, ","), F(19, "foo"), O(22, "="), V(23, "test"),
	    END(27) } },
	{ "name~=\xe7\x89\x9b,labels.moo=true", NULL,
	  { F(0, "name"), O(4, "~="), V(6, "\xe7\x89\x9b"), S(9, ","), F(10, "labels"), S(16, "."), F(17, "moo"),
	    O(20, "="), V(21, "true"), END(25) } },
	{ "name~=|\xe7\x89\x9b|,labels.moo=true", NULL,
	  { F(0, "name"), O(4, "~="), Q(6, "|\xe7\x89\x9b|"), S(11, ","), F(12, "labels"), S(18, "."), F(19, "moo"),
	    O(22, "="), V(23, "true"), END(27) } },
	{ "name~=\"asdf\\n\\tfooo\"", NULL, { F(0, "name"), O(4, "~="), Q(6, "\"asdf\\n\\tfooo\""), END(20) } },
	{ "foo = bar    ", NULL, { F(0, "foo"), O(4, "="), V(6, "bar"), END(13) } },
	{ "compound.labels==punctuated_value.foo-bar", NULL,
	  { F(0, "compound"), S(8, "."), F(9, "labels"), O(15, "=="), V(17, "punctuated_value.foo-bar"), END(41) } },
	{ "interrupted=", NULL, { F(0, "interrupted"), O(11, "="), END(12) } },
	{ "doublevalue=value value", NULL,
	  { F(0, "doublevalue"), O(11, "="), V(12, "value"), F(18, "value"), END(23) } },
	{ "\"leading quote\".postquote==value", NULL,
	  { Q(0, "\"leading quote\""), S(15, "."), F(16, "postquote"), O(25, "=="), V(27, "value"), END(32) } },
	{ "input==,id!=ff", NULL,
	  { F(0, "input"), O(5, "=="), S(7, ","), F(8, "id"), O(10, "!="), V(12, "ff"), END(14) } },
	{ "input~=/foo\\/bar/,id!=ff", NULL,
	  { F(0, "input"), O(5, "~="), Q(7, "/foo\\/bar/"), S(17, ","), F(18, "id"), O(20, "!="), V(22, "ff"),
	    END(24) } },
	{ "input~=|foo/bar|,id!=ff", NULL,
	  { F(0, "input"), O(5, "~="), Q(7, "|foo/bar|"), S(16, ","), F(17, "id"), O(19, "!="), V(21, "ff"),
	    END(23) } },
	{ "labels.containerd.io/key==value", "quoted literal not terminated",
	  { F(0, "labels"), S(6, "."), F(7, "containerd"), S(17, "."), F(18, "io"), BAD(20, "/key==value"), END(31) } },
	{ "labels.\"containerd.io\nkey\"==value", "quoted literal not terminated",
	  { F(0, "labels"), S(6, "."), BAD(7, "\"containerd.io\n"), F(22, "key"), BAD(25, "\"==value"), END(33) } },
	{ "labels.\"\\g\"", "illegal escape sequence", { F(0, "labels"), S(6, "."), BAD(7, "\"\\g\""), END(11) } },
	{ "labels.\"\\xaz\"", "illegal numeric escape sequence",
	  { F(0, "labels"), S(6, "."), BAD(7, "\"\\xaz\""), END(13) } },
};

static void words(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(scans); i++) {
		struct scanner s = { .input = scans[i].text, .len = strlen(scans[i].text) };
		const struct token *want = scans[i].tokens;
		struct token t;

		do {
			t = scan(&s);
			assert_int_equal(t.kind, want->kind);
			assert_int_equal(t.pos, want->pos);
			assert_int_equal(t.len, want->len);
			assert_memory_equal(t.text, want->text, t.len);
			want++;
		} while (t.kind != TOKEN_EOF);
		assert_int_equal(scan(&s).kind, TOKEN_EOF);
		if (scans[i].error)
			assert_string_equal(s.error, scans[i].error);
		else
			assert_null(s.error);
	}
}

/* A NUL, which no filter of a client has. */
static void a_nul(void **state)
{
	struct scanner s = { .input = "foo\0bar", .len = 7 };

	assert_int_equal(scan(&s).kind, TOKEN_FIELD);
	assert_int_equal(scan(&s).kind, TOKEN_ILLEGAL);
	assert_string_equal(s.error, "unexpected null");
	assert_int_equal(scan(&s).kind, TOKEN_FIELD);
	assert_int_equal(scan(&s).kind, TOKEN_EOF);
}

/* ---- expressions ------------------------------------------------------------- */

static const char *value_of(void *ctx, const char *const *path, size_t n)
{
	return ctx;
}

/* Whether the value matches, tried `times`. */
static bool matches(const char *expression, const char *value, int times)
{
	const char *text;
	struct filter *f;
	struct err e;
	bool ret = false;
	char *s = malloc(strlen(expression) + 10);

	sprintf(s, "x~=\"%s\"", expression);
	text = s;
	assert_int_equal(filter_parse(&text, 1, &f, &e), 0);
	while (times--)
		ret = filter_match(f, value_of, (void *)value);
	filter_free(f);
	free(s);
	return ret;
}

static void expressions(void **state)
{
	assert_true(matches("^a.c$", "abc", 1));
	assert_false(matches("^a.c$", "abc\\n", 1));
	assert_false(matches("b$", "ab\n", 1)); /* the end, not that of the line before */
	assert_true(matches("(?m)b$", "ab\n", 1));
	assert_false(matches("^a.c$", "a\nc", 1));
	assert_true(matches("(?s)^a.c$", "a\nc", 1));
	assert_true(matches("^.$", "\xe7\x89\x9b", 1));
	assert_true(matches("(?i)STRASSE", "strasse", 1));
	assert_true(matches("^\\\\pL+$", "\xe7\x89\x9b", 1));
	assert_true(matches("(?P<n>a)b", "ab", 1));
	assert_false(matches("^\\\\d$", "\xd9\xa3", 1)); /* ASCII's only */
}

/* What RE2 refuses PCRE2 does not get to see, and what it means otherwise it gets in
 * other words. A backslash is two in the text of a filter, and two in C. */
#define B "\\\\"

static void expressions_of_re2_only(void **state)
{
	static const char *const refused[] = {
		"a**", "a*+", "a{2}{2}", "a{1001}", "a{2,1}", "(?=a)", "(?!b)", "(?>a)",
		"(?<n>a)", "(?x)a", "(?#a)a", "(?i-)a",
		"(?P<>a)", "(?P<n-m>a)", "(*UTF)a", "(*ACCEPT)", "(a)" B "1", B "C", B "K", B "R",
		B "h", B "Z", B "G", B "e",
		B "x{110000}", B "xg0", B "x{}", B "p{Cn}", B "p{No such}", "[[:no:]]", "[b-a]",
		"[a", "(a", "a)", "[" B "b]", "*", B "q",
	};
	static const struct {
		const char *expression, *value;
		bool match;
	} meanings[] = {
		{ "^[[:alpha:][:^digit:]]$", "-", true },
		{ "^" B "s$", "\v", false },
		{ "^" B "S$", "\v", true },
		{ "^[" B "S]$", "\v", true },
		{ "^[^" B "s]$", "\t", false },
		{ "^" B "v$", "\v", true },
		{ "^" B "v$", "\n", false },
		{ "^" B "101" B "x41" B "x{41}$", "AAA", true },
		{ "^" B "Qa.b*" B "E+$", "a.b**", true },
		{ "^" B "Qa.b*" B "E+$", "aab", false },
		{ "^*" B "b+a", "a", true },
		{ "^a{,2}$", "a{,2}", true },
		{ "^a{01}$", "a{01}", true },
		{ "^a{,2}$", "aa", false },
		{ "^" B "p{Greek}" B "PL" B "p{^Latin}$", "\xce\xb1-\xce\xb1", true },
		{ "^[]a]+$", "]a", true },
		{ "^[a-]+$", "-a", true },
		{ "^[a-" B "x63]+$", "abc", true },
		{ "(?m)^$", "a\n", true },
		{ "(?m:^b$)", "a\nb\nc", true },
		{ "(?i:B)b", "bb", true },
		{ "(?i:B)B", "bb", false },
		{ "^a# b$", "a# b", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (matches(refused[i], "a", 1) || matches(refused[i], "aaaa", 1) || matches(refused[i], "", 1))
			fail_msg("%s", refused[i]);
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (matches(meanings[i].expression, meanings[i].value, 1) != meanings[i].match)
			fail_msg("%s", meanings[i].expression);
}

/* What would take for ever is given up, and costs no more than milliseconds, also when
 * it is asked of a thousand things. */
static void hostile_expressions(void **state)
{
	static const char *const bad[] = { "^(a+)+$", "(a|aa)+$", "^(a?){40}a{40}$", "(.*)*b", "((a{0,5}){0,5}){0,5}b",
					   "(?:(?:(?:a*)*)*)*b", "(x+x+)+y" };
	char value[4097], deep[FILTER_EXPRESSION_MAX * 2];
	clock_t start; /* of our own: others may run beside */

	memset(value, 'a', sizeof value - 1);
	value[sizeof value - 2] = '!';
	value[sizeof value - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		start = clock();
		assert_false(matches(bad[i], value, 1000));
		if (clock() - start > CLOCKS_PER_SEC / 2)
			fail_msg("%s: %d ms", bad[i], (int)((clock() - start) / (CLOCKS_PER_SEC / 1000)));
	}
	assert_false(matches("((((a{1000}){1000}){1000}){1000})", value, 1));
	memset(deep, '(', 4000);
	strcpy(deep + 4000, "a");
	memset(deep + 4001, ')', 4000);
	deep[8001] = '\0';
	assert_false(matches(deep, value, 1));
	memset(deep, 'a', FILTER_EXPRESSION_MAX);
	deep[FILTER_EXPRESSION_MAX] = '\0';
	memset(value, 'a', sizeof value - 1);
	assert_true(matches(deep, value, 1));
	strcat(deep, "?");
	assert_false(matches(deep, value, 1));
}

static void keys(void **state)
{
	static const char *const path[] = { "a", "b.c", "d" };

	assert_true(filter_is_key(path, 3, "a.b.c.d"));
	assert_false(filter_is_key(path, 3, "a.b.c.de"));
	assert_false(filter_is_key(path, 3, "a.b.c."));
	assert_false(filter_is_key(path, 3, "a.b.c"));
	assert_true(filter_is_key(path, 0, ""));
	assert_false(filter_is_key(path, 0, "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),       cmocka_unit_test(several_texts),
		cmocka_unit_test(long_texts),  cmocka_unit_test(words),
		cmocka_unit_test(a_nul),       cmocka_unit_test(expressions), cmocka_unit_test(expressions_of_re2_only),
		cmocka_unit_test(keys),        cmocka_unit_test(hostile_expressions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
