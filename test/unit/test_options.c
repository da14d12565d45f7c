/* The flags of the command line: Go's rules and words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "err.h"
#include "mem.h"
#include "options.h"

struct flags {
	bool all;
	int tty;
	const char *bundle, *format;
	int64_t n, interval;
	struct option_list env;
};

static const struct option_def defs[] = {
	OPTION("all", 'a', OPT_BOOL, struct flags, all, NULL, "h"),
	OPTION("tty", 't', OPT_SWITCH, struct flags, tty, NULL, "h"),
	OPTION("bundle", 'b', OPT_STRING, struct flags, bundle, NULL, "h"),
	OPTION("format", 'f', OPT_STRING, struct flags, format, "table", "h"),
	OPTION("preserve-fds", 0, OPT_INT, struct flags, n, "0", "h"),
	OPTION("interval", 0, OPT_DURATION, struct flags, interval, "5s", "h"),
	OPTION("env", 'e', OPT_LIST, struct flags, env, NULL, "h"),
	{ 0 },
};

static struct arena arena;
static struct flags f;
static struct err e;
static const char *rest;

/* Parses up to seven words; `rest` is the first that is left, or "". */
static int parse(const char *a, const char *b, const char *c, const char *d)
{
	char *argv[] = { (char *)a, (char *)b, (char *)c, (char *)d, NULL }, **args = argv;
	int r;

	memset(&f, 0, sizeof f);
	r = options_parse(&arena, defs, &f, &args, &e);
	rest = *args ? *args : "";
	return r;
}

static void reads_flags(void **state)
{
	assert_int_equal(parse("--bundle", "/b", "-a", "id"), 0);
	assert_string_equal(f.bundle, "/b");
	assert_true(f.all);
	assert_string_equal(rest, "id");
	assert_string_equal(f.format, "table");
	assert_int_equal(f.interval, 5000000000);

	assert_int_equal(parse("-bundle=/c", "--all=false", "-preserve-fds=0x10", "--"), 0);
	assert_string_equal(f.bundle, "/c");
	assert_false(f.all);
	assert_int_equal(f.n, 16);

	assert_int_equal(parse("-b", "-a", "id", "-a"), 0); /* a value may look like a flag */
	assert_string_equal(f.bundle, "-a");
	assert_false(f.all); /* and flags end at the first argument */
	assert_string_equal(rest, "id");

	assert_int_equal(parse("--", "-a", NULL, NULL), 0);
	assert_string_equal(rest, "-a");
	assert_int_equal(parse("-", "-a", NULL, NULL), 0);
	assert_string_equal(rest, "-");
	assert_int_equal(parse("--bundle=", "x", NULL, NULL), 0);
	assert_string_equal(f.bundle, "");
}

static void keeps_lists_and_switches(void **state)
{
	assert_int_equal(parse("-e", "A=1", "--env=B=2", NULL), 0);
	assert_int_equal(f.env.n, 2);
	assert_string_equal(f.env.v[0], "A=1");
	assert_string_equal(f.env.v[1], "B=2");
	assert_int_equal(f.tty, 0);
	assert_int_equal(parse("-t", NULL, NULL, NULL), 0);
	assert_int_equal(f.tty, 1);
	assert_int_equal(parse("--tty=0", NULL, NULL, NULL), 0);
	assert_int_equal(f.tty, -1);
}

static void asks_for_help(void **state)
{
	assert_int_equal(parse("-h", NULL, NULL, NULL), OPTIONS_HELP);
	assert_int_equal(parse("--all", "--help", NULL, NULL), OPTIONS_HELP);
}

static void fails(const char *a, const char *b, const char *words)
{
	assert_true(parse(a, b, NULL, NULL) < 0);
	assert_string_equal(e.msg, words);
}

static void says_what_is_wrong(void **state)
{
	fails("--bogus", NULL, "flag provided but not defined: -bogus");
	fails("--bogus=1", NULL, "flag provided but not defined: -bogus");
	fails("-ab", NULL, "flag provided but not defined: -ab");
	fails("--bundle", NULL, "flag needs an argument: -bundle");
	fails("-b", NULL, "flag needs an argument: -b");
	fails("---all", NULL, "bad flag syntax: ---all");
	fails("--=x", NULL, "bad flag syntax: --=x");
	fails("--all=x", NULL, "invalid boolean value \"x\" for -all: parse error");
	fails("--preserve-fds", "x", "invalid value \"x\" for flag -preserve-fds: parse error");
	fails("--preserve-fds", "", "invalid value \"\" for flag -preserve-fds: parse error");
	fails("--preserve-fds=99999999999999999999", NULL,
	      "invalid value \"99999999999999999999\" for flag -preserve-fds: value out of range");
	fails("--interval", "5", "invalid value \"5\" for flag -interval: parse error");
}

static void reads_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns; /* -1: refused */
	} cases[] = {
		{ "0", 0 }, { "5s", 5000000000 }, { "1m30s", 90000000000 }, { "1.5s", 1500000000 },
		{ "100ms", 100000000 }, { "1h", 3600000000000 }, { "-1s", -1000000000 },
		{ ".5s", 500000000 }, { "3us", 3000 }, { "7ns", 7 },
		{ "", -1 }, { "5", -1 }, { "s", -1 }, { "5x", -1 }, { ".s", -1 }, { "1s2", -1 },
		{ "-", -1 }, { "999999999h", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t ns = 0;
		int r = duration_parse(cases[i].text, &ns);

		if (cases[i].ns == -1)
			assert_true(r < 0);
		else
			assert_true(r == 0 && ns == cases[i].ns);
	}
}

static void reads_bytes(void **state)
{
	int64_t v;

	assert_int_equal(bytes_parse("512", &v), 0);
	assert_int_equal(v, 512);
	assert_int_equal(bytes_parse("1.5g", &v), 0);
	assert_int_equal(v, 1610612736);
	assert_int_equal(bytes_parse("2MiB", &v), 0);
	assert_int_equal(v, 2097152);
	assert_int_equal(bytes_parse("0.5", &v), 0);
	assert_int_equal(v, 0);
	assert_true(bytes_parse("", &v) < 0);
	assert_true(bytes_parse(".5g", &v) < 0);
	assert_true(bytes_parse("1.g", &v) < 0);
	assert_true(bytes_parse("1.5x", &v) < 0);
	assert_true(bytes_parse("-5", &v) < 0);
	assert_true(bytes_parse("9999999999999g", &v) < 0);
	assert_true(bytes_parse("99999999999.5g", &v) < 0);
}

static int cleanup(void **state)
{
	arena_done(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_flags),
		cmocka_unit_test(keeps_lists_and_switches),
		cmocka_unit_test(asks_for_help),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(reads_durations),
		cmocka_unit_test(reads_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, cleanup);
}
