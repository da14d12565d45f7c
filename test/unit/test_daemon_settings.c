/* berthd's configuration: defaults, file, command line, and what is wrong with them. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon_settings.h"
#include "err.h"
#include "file.h"
#include "mem.h"
#include "str.h"

static char dir[] = "/tmp/berth-settings-XXXXXX";
static char path[64], none[64];
static struct arena arena;

static void put(const char *name, const char *text)
{
	FILE *f = fopen(name, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/berthd.json", dir);
	snprintf(none, sizeof none, "%s/engine.json", dir);
	put(none, "{}");
	setenv("BERTH_CONFIG", none, 1);
	return 0;
}

static int teardown(void **state)
{
	arena_done(&arena);
	unsetenv("BERTH_CONFIG");
	assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return 0;
}

static void the_command_line_over_the_file_over_defaults(void **state)
{
	struct daemon_flags f = { .config = path, .root = "/r2", .state = "/s2" };
	struct daemon_settings s;
	struct err e;

	put(path, "{\"root\": \"/r1\", \"address\": \"/a1\", \"gid\": 12, \"log_level\": \"warn\","
		  " \"engine\": {\"state\": \"/s1\", \"shim_debug\": true}}");
	assert_int_equal(daemon_settings_read(&arena, &f, &s, &e), 0);
	assert_string_equal(s.root, "/r2");
	assert_string_equal(s.engine.state, "/s2");
	assert_string_equal(s.address, "/a1");
	assert_int_equal(s.gid, 12);
	assert_int_equal(s.uid, 0);
	assert_string_equal(s.log_level, "warn");
	assert_string_equal(s.log_format, "text");
	assert_true(s.engine.shim_debug);
	assert_true(s.engine.shim_mount_namespace);
	assert_string_equal(s.engine.cgroup_parent, "/berth");
}

static void what_is_printed_can_be_read(void **state)
{
	struct daemon_flags f = { .config = path };
	OWN_SB struct sb first = SB_INIT, second = SB_INIT;
	struct daemon_settings s;
	struct err e;

	assert_int_equal(daemon_settings_default(&arena, &s, &e), 0);
	daemon_settings_print(&s, &first);
	assert_false(first.failed);
	put(path, first.s);
	assert_int_equal(daemon_settings_read(&arena, &f, &s, &e), 0);
	daemon_settings_print(&s, &second);
	assert_string_equal(first.s, second.s);
}

static void a_program_for_a_runtime(void **state)
{
	struct daemon_flags f = { .config = path };
	OWN_SB struct sb out = SB_INIT;
	struct daemon_settings s;
	struct err e;

	put(path, "{\"shims\": {\"io.containerd.runc.v2\": \"shim\", \"x\": \"/a/b\"}}");
	assert_int_equal(daemon_settings_read(&arena, &f, &s, &e), 0);
	assert_string_equal(daemon_settings_shim(&s, "io.containerd.runc.v2"), "shim");
	assert_string_equal(daemon_settings_shim(&s, "x"), "/a/b");
	assert_null(daemon_settings_shim(&s, "io.containerd.runc.v1"));
	daemon_settings_print(&s, &out);
	assert_non_null(strstr(out.s, "\"x\": \"/a/b\""));
	put(path, out.s);
	assert_int_equal(daemon_settings_read(&arena, &f, &s, &e), 0);
	assert_int_equal(s.n_shims, 2);
	put(path, "{\"shims\": {}}");
	assert_int_equal(daemon_settings_read(&arena, &f, &s, &e), 0);
	assert_null(daemon_settings_shim(&s, "x"));
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text;
		struct daemon_flags f;
		const char *words;
	} cases[] = {
		{ "{\"root\": 3}", { 0 }, "berthd.json:1:2: /root: must be a string" },
		{ "{\n\"x\": 3}", { 0 }, "berthd.json:2:1: /x" },
		{ "{\"engine\": {\"x\": 3}}", { 0 }, "/engine/x" },
		{ "{\"root\": \"r\"}", { 0 }, "berthd.json:1:2: root: 'r' is no absolute path" },
		{ "{\"address\": \"tcp://x\"}", { 0 }, "address: 'tcp://x' is no absolute path" },
		{ "{\n  \"log_level\": \"trace\"}", { 0 }, "berthd.json:2:3: log_level: 'trace'" },
		{ "{\"log_format\": \"text\"}", { .log_format = "xml" }, "log_format: 'xml'" },
		{ "{}", { .log_format = "xml" }, "log_format: 'xml'" },
		{ "{}", { .root = "" }, "--root: is empty" },
		{ "{}", { .state = "x" }, "state: 'x' is no absolute path" },
		{ "{\"engine\": {\n\"namespace\": \"a/b\"}}", { 0 }, "berthd.json:2:1: namespace: identifier" },
		{ "{\"no_shim\": 1}", { 0 }, "berthd.json:1:2: /no_shim: must be true or false" },
		{ "{\n\"no_shim\": true, \"engine\": {\"shim_cgroup\": \"/x\"}}", { 0 },
		  "berthd.json:2:1: no_shim: there is no shim that could enter the shim_cgroup '/x'" },
		{ "{\"shims\": []}", { 0 }, "berthd.json:1:2: /shims: must be an object" },
		{ "{\"shims\":\n{\"a\": 3}}", { 0 }, "berthd.json:2:2: /shims/a: must be a string" },
		{ "{\"shims\": {\"a\": \"\"}}", { 0 }, "/shims/a: '' is neither an absolute path" },
		{ "{\"shims\": {\"a\": \"x/y\"}}", { 0 }, "/shims/a: 'x/y' is neither an absolute path" },
		{ "{\"shims\": {\"a/b\": \"x\"}}", { 0 }, "'a/b' is no name of a runtime" },
		{ "{", { 0 }, "berthd.json:1:2: unexpected end" },
	};
	struct daemon_settings s;
	char text[2048];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct daemon_flags f = cases[i].f;
		struct err e;

		put(path, cases[i].text);
		f.config = path;
		assert_true(daemon_settings_read(&arena, &f, &s, &e) < 0);
		if (!strstr(err_text(&e, text, sizeof text), cases[i].words))
			fail_msg("'%s' does not say '%s'", text, cases[i].words);
	}
}

static void a_file_that_is_named_must_be_there(void **state)
{
	struct daemon_flags f = { .config = path };
	struct daemon_settings s;
	struct err e;

	assert_int_equal(daemon_settings_read(&arena, &f, &s, &e), -2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_command_line_over_the_file_over_defaults),
		TEST(what_is_printed_can_be_read),
		TEST(a_program_for_a_runtime),
		TEST(what_is_wrong_is_named),
		TEST(a_file_that_is_named_must_be_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
