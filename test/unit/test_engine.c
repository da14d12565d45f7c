/* The engine's parts that need no shim: settings, documents, bundles, locks. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "state_dir.h"
#include "config.h"
#include "engine_parts.h"
#include "err.h"
#include "file.h"
#include "json.h"
#include "mem.h"

static char dir[] = "/tmp/berth-engine-XXXXXX";
static struct arena arena;

static int setup(void **state)
{
	assert_non_null(mkdtemp(dir));
	return 0;
}

static const char *const variables[] = { "BERTH_CONFIG",  "BERTH_STATE", "BERTH_NAMESPACE", "BERTH_CGROUP_PARENT",
					 "BERTH_SHIM",	  "BERTH_RUNTIME" };

static int teardown(void **state)
{
	arena_done(&arena);
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		unsetenv(variables[i]);
	assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return 0;
}

static const char *path(const char *name)
{
	char *p = arena_printf(&arena, "%s/%s", dir, name);

	assert_non_null(p);
	return p;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path(name), "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* ---- settings ---------------------------------------------------------------- */

static void settings_by_default(void **state)
{
	struct engine_settings s;

	put("none.json", "{}");
	setenv("BERTH_CONFIG", path("none.json"), 1);
	assert_int_equal(engine_settings_read(&arena, &s, NULL), 0);
	assert_string_equal(s.state, "/run/berth/state");
	assert_string_equal(s.namespace, "default");
	assert_string_equal(s.cgroup_parent, "/berth");
	assert_string_equal(s.shim, "containerd-shim-berth-v2");
	assert_string_equal(s.runtime, "");
	assert_string_equal(s.runtime_root, "/run/berth/runc");
	assert_string_equal(s.shim_cgroup, "");
	assert_true(s.shim_mount_namespace);
	assert_false(s.shim_debug);
}

static void variables_over_the_file_over_defaults(void **state)
{
	struct engine_settings s;

	put("engine.json", "{\"state\": \"/a\", \"namespace\": \"ns1\", \"shim\": \"/bin/shim\", \"runtime\": \"runc\","
			   " \"shim_debug\": true, \"shim_mount_namespace\": false, \"shim_cgroup\": \"/shims\","
			   " \"runtime_root\": \"/r\", \"cgroup_parent\": \"/p\"}");
	setenv("BERTH_CONFIG", path("engine.json"), 1);
	setenv("BERTH_STATE", "/b", 1);
	setenv("BERTH_RUNTIME", "", 1);
	assert_int_equal(engine_settings_read(&arena, &s, NULL), 0);
	assert_string_equal(s.state, "/b");
	assert_string_equal(s.runtime, "");
	assert_string_equal(s.namespace, "ns1");
	assert_string_equal(s.shim, "/bin/shim");
	assert_string_equal(s.shim_cgroup, "/shims");
	assert_string_equal(s.runtime_root, "/r");
	assert_string_equal(s.cgroup_parent, "/p");
	assert_true(s.shim_debug);
	assert_false(s.shim_mount_namespace);
}

static void settings_that_are_wrong(void **state)
{
	static const struct {
		const char *file, *variable, *value, *words;
	} cases[] = {
		{ "{\"unknown\": 1}", NULL, NULL, "/unknown" },
		{ "{\"state\": \"relative\"}", NULL, NULL, "state: 'relative' is no absolute path" },
		{ "{}", "BERTH_STATE", "relative", "BERTH_STATE: 'relative'" },
		{ "{}", "BERTH_STATE", "", "BERTH_STATE" },
		{ "{}", "BERTH_CGROUP_PARENT", "x", "BERTH_CGROUP_PARENT" },
		{ "{\"namespace\": \"a/b\"}", NULL, NULL, "namespace: identifier" },
		{ "{}", "BERTH_NAMESPACE", "-x", "BERTH_NAMESPACE: identifier" },
		{ "{\"shim\": 5}", NULL, NULL, "/shim" },
	};
	struct engine_settings s;
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put("engine.json", cases[i].file);
		setenv("BERTH_CONFIG", path("engine.json"), 1);
		if (cases[i].variable)
			setenv(cases[i].variable, cases[i].value, 1);
		assert_true(engine_settings_read(&arena, &s, &e) < 0);
		assert_int_equal(e.kind, ERR_INVALID);
		if (!strstr(e.msg, cases[i].words))
			fail_msg("'%s' is not in '%s'", cases[i].words, e.msg);
		if (cases[i].variable)
			unsetenv(cases[i].variable);
	}
	setenv("BERTH_CONFIG", path("not-there.json"), 1);
	assert_true(engine_settings_read(&arena, &s, &e) < 0); /* one that was named has to be there */
}

/* ---- config.json -------------------------------------------------------------- */

static const char *prepared(const char *text, const char *cgroup, bool *grouped)
{
	struct config c;

	assert_int_equal(config_prepare(&arena, text, strlen(text), cgroup, &c, NULL), 0);
	if (grouped)
		*grouped = c.grouped;
	return arena_strndup(&arena, c.text, c.len);
}

static void a_cgroup_is_added_where_there_is_none(void **state)
{
	static const char given[] = "{ \"linux\": {\"cgroupsPath\": \"/mine\"}, \"x\": 1.50 }";

	assert_string_equal(prepared(given, "/berth/ns/c1", NULL), given); /* not a byte is changed */
	assert_string_equal(prepared("{\"linux\": {\"cgroupsPath\": 5}}", "/berth/ns/c1", NULL),
			    "{\"linux\": {\"cgroupsPath\": 5}}"); /* who reads it says what is wrong */
	assert_string_equal(prepared("{\"a\": [1, 1.50, \"\\u00e9\"]}", "/berth/ns/c1", NULL),
			    "{\"a\":[1,1.50,\"\xc3\xa9\"],\"linux\":{\"cgroupsPath\":\"/berth/ns/c1\"}}");
	assert_string_equal(prepared("{\"linux\": {\"cgroupsPath\": \"\", \"maskedPaths\": []}, \"z\": null}", "/b",
				     NULL),
			    "{\"z\":null,\"linux\":{\"maskedPaths\":[],\"cgroupsPath\":\"/b\"}}");
	assert_string_equal(prepared("{\"linux\": null}", "/b", NULL), "{\"linux\":{\"cgroupsPath\":\"/b\"}}");
	assert_string_equal(prepared("{\"linux\": {}}", NULL, NULL), "{\"linux\": {}}");
}

static void pods_are_known(void **state)
{
	bool grouped;

	prepared("{\"annotations\": {\"io.containerd.runc.v2.group\": \"p\"}}", NULL, &grouped);
	assert_true(grouped);
	prepared("{\"annotations\": {\"io.kubernetes.cri.sandbox-id\": \"p\"}}", NULL, &grouped);
	assert_true(grouped);
	prepared("{\"annotations\": {\"io.kubernetes.cri.sandbox-id\": \"\"}}", NULL, &grouped);
	assert_false(grouped);
}

static void documents_that_are_none(void **state)
{
	static const char *const cases[] = { "", "[]", "{", "{\"linux\": []}", "{\"a\": 1, \"a\": 2}" };
	struct config c;
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(config_prepare(&arena, cases[i], strlen(cases[i]), "/b", &c, &e) < 0);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_non_null(strstr(e.msg, "config.json"));
	}
}

/* ---- bundles ------------------------------------------------------------------ */

static bool is_there(const char *name)
{
	return access(path(name), F_OK) == 0;
}

static void a_bundle_is_claimed_once(void **state)
{
	struct bundle a, b, c;
	struct stat st;
	mode_t mask = umask(077);

	assert_int_equal(bundle_make(&a, path("state"), "ns1", NULL), 0);
	assert_int_equal(bundle_make(&b, path("state"), "ns1", NULL), 0);
	umask(mask);
	assert_true(bundle_is_leftover(a.name));
	assert_string_not_equal(a.name, b.name);
	assert_int_equal(bundle_claim(&a, "c1"), 0);
	assert_string_equal(a.name, "c1");
	assert_int_equal(bundle_claim(&b, "c1"), -EEXIST);
	assert_int_equal(bundle_lock(&c, path("state"), "ns1", "c1"), -EAGAIN);
	assert_int_equal(bundle_lock(&c, path("state"), "ns1", "c2"), -ENOENT);
	assert_int_equal(stat(path("state/ns1/c1"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_int_equal(stat(path("state/ns1/c1/rootfs"), &st), 0);
	assert_int_equal(bundle_remove(&b), 0);
	bundle_unlock(&a);
	assert_int_equal(bundle_lock(&c, path("state"), "ns1", "c1"), 0);
	assert_int_equal(bundle_remove(&c), 0);
	assert_false(is_there("state/ns1/c1"));
	assert_int_equal(rmdir(path("state/ns1")), 0); /* nothing is in it */
}

/* Who holds the lock of one that is not there any more does not touch the next. */
static void a_bundle_that_was_replaced(void **state)
{
	struct bundle a, b;

	assert_int_equal(bundle_make(&a, path("state"), "ns1", NULL), 0);
	assert_int_equal(bundle_claim(&a, "c1"), 0);
	assert_int_equal(rename(path("state/ns1/c1"), path("state/ns1/old")), 0);
	assert_int_equal(bundle_make(&b, path("state"), "ns1", NULL), 0);
	assert_int_equal(bundle_claim(&b, "c1"), 0);
	assert_int_equal(bundle_remove(&a), 0);
	assert_true(is_there("state/ns1/c1/rootfs"));
	assert_true(is_there("state/ns1/old"));
	assert_int_equal(bundle_remove(&b), 0);
	assert_false(is_there("state/ns1/c1"));
}

static void leftovers_go_when_nobody_has_them(void **state)
{
	struct bundle a;
	int ns;

	assert_int_equal(bundle_make(&a, path("state"), "ns1", NULL), 0);
	assert_int_equal(mkdir(path("state/ns1/.del-1"), 0700), 0);
	put("state/ns1/.del-1/x", "x");
	ns = open(path("state/ns1"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(ns >= 0);
	bundle_sweep(ns, a.name);
	bundle_sweep(ns, ".del-1");
	bundle_sweep(ns, ".new-not-there");
	assert_false(is_there("state/ns1/.del-1"));
	assert_int_equal(faccessat(ns, a.name, F_OK, 0), 0);
	flock(a.fd, LOCK_UN); /* its maker was killed */
	bundle_sweep(ns, a.name);
	assert_int_equal(faccessat(ns, a.name, F_OK, 0), -1);
	bundle_unlock(&a);
	close(ns);
	assert_true(bundle_is_leftover(".new-1"));
	assert_false(bundle_is_leftover(".hidden"));
	assert_false(bundle_is_leftover("new-1"));
}

static void unique_is_unique(void **state)
{
	char a[BUNDLE_UNIQUE], b[BUNDLE_UNIQUE];

	bundle_unique(a);
	bundle_unique(b);
	assert_string_not_equal(a, b);
}

static void what_is_kept_beside_config_json(void **state)
{
	char *large = arena_alloc(&arena, 100000);
	char made[] = "m-1", text[] = "{\"owner\": \"me\"}\n";
	struct bundle_record r = { made, ENGINE_TERMINATE, text }, back;
	struct err e;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(bundle_record_read(&arena, dir, &back, &e), -ENOENT);
	assert_int_equal(bundle_record_write(fd, &r, NULL), 0);
	assert_int_equal(bundle_record_read(&arena, dir, &back, NULL), 0);
	assert_string_equal(back.made, made);
	assert_string_equal(back.record, text);
	assert_int_equal(back.lifetime, ENGINE_TERMINATE);
	memset(large, 'x', 99999);
	r.record = large;
	assert_int_equal(bundle_record_write(fd, &r, NULL), 0);
	assert_int_equal(bundle_record_read(&arena, dir, &back, NULL), 0);
	assert_string_equal(back.record, large);
	assert_null(back.foreign.program);
	r = (struct bundle_record){ made, ENGINE_KEEP, text, { text, made, large, 7 } };
	assert_int_equal(bundle_record_write(fd, &r, NULL), 0);
	assert_int_equal(bundle_record_read(&arena, dir, &back, NULL), 0);
	assert_string_equal(back.foreign.program, text);
	assert_string_equal(back.foreign.address, made);
	assert_string_equal(back.foreign.ttrpc_address, large);
	assert_int_equal(back.foreign.pid, 7);
	assert_false(back.hosted);
	r.foreign = (struct bundle_foreign){ 0 };
	r.hosted = true;
	assert_int_equal(bundle_record_write(fd, &r, NULL), 0);
	assert_int_equal(bundle_record_read(&arena, dir, &back, NULL), 0);
	assert_true(back.hosted);
	assert_null(back.foreign.program);
	close(fd);
}

static void what_a_foreign_shim_prints(void **state)
{
	static const struct {
		const char *text, *words; /* the address; or what is wrong */
		bool bad;
	} cases[] = {
		{ "unix:///run/x", "unix:///run/x", false },
		{ "{\"version\":2,\"address\":\"unix:///y\",\"protocol\":\"ttrpc\"}", "unix:///y", false },
		{ "{\"version\":3,\"address\":\"unix:///y\",\"protocol\":\"ttrpc\"}", "version 3 over ttrpc", true },
		{ "{\"version\":2,\"address\":\"unix:///y\",\"protocol\":\"grpc\"}", "version 2 over grpc", true },
		{ "{\"version\":2}", "/address", true },
		{ "{", "its answer:1", true },
	};
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[2048];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		OWN_SB struct sb b = SB_INIT;
		struct err e;
		int r;

		sb_puts(&b, cases[i].text);
		r = foreign_take_address(&b, fd, &e);
		assert_int_equal(r < 0, cases[i].bad);
		if (!strstr(r < 0 ? err_text(&e, text, sizeof text) : b.s, cases[i].words))
			fail_msg("'%s' is not in '%s'", cases[i].words, r < 0 ? text : b.s);
		if (r >= 0) {
			assert_int_equal(faccessat(fd, "address", F_OK, 0), 0);
			assert_int_equal(unlinkat(fd, "address", 0), 0);
		}
	}
	close(fd);
}

static void records_that_cannot_be_read(void **state)
{
	static const struct {
		const char *text, *words;
		enum err_kind kind;
	} cases[] = {
		{ "{\"version\": 4, \"made\": \"x\", \"lifetime\": \"keep\", \"record\": \"\"}", "version: 4",
		  ERR_UNSUPPORTED },
		{ "{\"version\": 1, \"made\": \"x\", \"lifetime\": \"?\", \"record\": \"\"}", "'?'", ERR_INVALID },
		{ "{\"version\": 1, \"made\": \"x\", \"lifetime\": \"keep\"}", "record", ERR_INVALID },
		{ "{\"version\": 3, \"made\": \"x\", \"lifetime\": \"keep\", \"record\": \"\", \"shim\": \"some\"}",
		  "'some' is not 'none'", ERR_INVALID },
		{ "{\"version\": 1", "engine.json:1", ERR_INVALID },
		{ "", "engine.json:1", ERR_INVALID },
	};
	struct bundle_record back;
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put("engine.json", cases[i].text);
		assert_true(bundle_record_read(&arena, dir, &back, &e) < 0);
		assert_int_equal(e.kind, cases[i].kind);
		if (!strstr(e.msg, cases[i].words))
			fail_msg("'%s' is not in '%s'", cases[i].words, e.msg);
	}
	/* What a later version adds is passed over. */
	put("engine.json", "{\"version\": 1, \"made\": \"x\", \"lifetime\": \"closed\", \"record\": \"r\", "
			   "\"more\": []}");
	assert_int_equal(bundle_record_read(&arena, dir, &back, NULL), 0);
	assert_int_equal(back.lifetime, ENGINE_CLOSED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(settings_by_default),
		TEST(variables_over_the_file_over_defaults),
		TEST(settings_that_are_wrong),
		TEST(a_cgroup_is_added_where_there_is_none),
		TEST(pods_are_known),
		TEST(documents_that_are_none),
		TEST(a_bundle_is_claimed_once),
		TEST(a_bundle_that_was_replaced),
		TEST(leftovers_go_when_nobody_has_them),
		TEST(unique_is_unique),
		TEST(what_is_kept_beside_config_json),
		TEST(records_that_cannot_be_read),
		TEST(what_a_foreign_shim_prints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
