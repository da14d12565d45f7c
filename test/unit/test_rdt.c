/* resctrl groups, on a directory that looks like one: the calls and the texts,
 * since the machines that test this have no resctrl. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "mem.h"
#include "rdt.h"
#include "spec.h"

static char top[] = "/tmp/berth-rdt-XXXXXX";
static int root;

static void put(const char *path, const char *text)
{
	int fd = openat(root, path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void touch(const char *path)
{
	put(path, "");
}

static void assert_content(const char *path, const char *want)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	char *text;

	assert_int_equal(file_read(&a, root, path, 4096, &text, NULL, NULL), 0);
	assert_string_equal(text, want);
}

static int set_up(void **state)
{
	(void)state;
	memcpy(top + sizeof top - 7, "XXXXXX", 6);
	if (!mkdtemp(top))
		return -1;
	root = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(root);
	return file_remove_tree(AT_FDCWD, top);
}

/* The administrator's group, used and never removed by us. */
static void a_group_that_was_there(void **state)
{
	struct spec_intel_rdt rdt = { .clos_id = (char *)"gold" };
	struct err e;
	bool made = true;

	(void)state;
	assert_int_equal(mkdirat(root, "gold", 0755), 0);
	touch("gold/tasks");
	assert_int_equal(rdt_create(root, &rdt, "gold", &made, &e), 0);
	assert_false(made);
	assert_int_equal(rdt_join(root, "gold", 4711, &e), 0);
	assert_content("gold/tasks", "4711");
}

static void a_closid_without_a_schema_must_be_there(void **state)
{
	struct spec_intel_rdt rdt = { .clos_id = (char *)"nosuch" };
	struct err e;
	bool made;

	(void)state;
	assert_int_equal(rdt_create(root, &rdt, "nosuch", &made, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "/linux/intelRdt/closID"));
	assert_false(made);
	assert_int_equal(faccessat(root, "nosuch", F_OK, 0), -1);
}

/* A schema that cannot be written takes the group with it. */
static void a_group_of_our_own_is_undone(void **state)
{
	struct spec_intel_rdt rdt = { .l3_cache_schema = (char *)"L3:0=f" };
	struct err e;
	bool made;

	(void)state;
	assert_true(rdt_create(root, &rdt, "c1", &made, &e) < 0); /* no file `schemata` appears here */
	assert_non_null(strstr(e.msg, "/linux/intelRdt/l3CacheSchema"));
	assert_non_null(strstr(e.msg, "L3:0=f"));
	assert_false(made);
	assert_int_equal(faccessat(root, "c1", F_OK, 0), -1);
}

static void schemata_are_written(void **state)
{
	char *lines[] = { (char *)"MB:0=50", NULL };
	struct spec_intel_rdt rdt = { .clos_id = (char *)"g", .schemata = lines, .n_schemata = 1 };
	struct err e;
	bool made;

	(void)state;
	assert_int_equal(mkdirat(root, "g", 0755), 0);
	touch("g/schemata");
	assert_int_equal(rdt_create(root, &rdt, "g", &made, &e), 0);
	assert_false(made);
	assert_content("g/schemata", "MB:0=50\n");
}

/* In one piece, so that a bad line changes nothing; l3CacheSchema's own MB gives way. */
static void schemas_are_combined(void **state)
{
	struct spec_intel_rdt rdt = { .l3_cache_schema = (char *)"L3:0=f\nMB:0=10\nL2:0=1",
				      .mem_bw_schema = (char *)"MB:0=50" };
	struct err e;
	bool made;

	(void)state;
	assert_int_equal(mkdirat(root, "c1", 0755), 0);
	touch("c1/schemata");
	assert_int_equal(rdt_create(root, &rdt, "c1", &made, &e), 0);
	assert_content("c1/schemata", "L3:0=f\nL2:0=1\nMB:0=50\n");
	rdt.mem_bw_schema = NULL;
	touch("c1/schemata");
	assert_int_equal(rdt_create(root, &rdt, "c1", &made, &e), 0);
	assert_content("c1/schemata", "L3:0=f\nMB:0=10\nL2:0=1\n");
}

/* As the kernel prints it: padded, and with all domains. */
static void a_group_that_was_there_has_the_schema(void **state)
{
	static const char now[] = "    MB:0= 50;1=100\n    L3:0=000f;1=00ff\nL3CODE:0=1\n";
	static const struct {
		const char *l3, *mb;
		bool same;
	} t[] = {
		{ "L3:0=f", NULL, true },	   { "L3:1=FF;0=0f", "MB:0=50", true },
		{ NULL, "MB:1=100;0=50", true },   { "L3CODE:0=1", NULL, true },
		{ "L3:0=1f", NULL, false },	   { "L3:0=f;1=f", NULL, false },
		{ "L3:2=f", NULL, false },	   { "L2:0=f", NULL, false },
		{ NULL, "MB:0=5", false },	   { "L3:0=f", "MB:1=50", false },
		{ "L3:0=f\nL3CODE:0=2", NULL, false }, { "nonsense", NULL, false },
		{ "L3:0", NULL, false },	   { "L3:0=f\nMB:0=1", "MB:0=50", true },
	};
	struct err e;
	bool made;

	(void)state;
	assert_int_equal(mkdirat(root, "gold", 0755), 0);
	put("gold/schemata", now);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct spec_intel_rdt rdt = { .clos_id = (char *)"gold",
					      .l3_cache_schema = (char *)(uintptr_t)t[i].l3,
					      .mem_bw_schema = (char *)(uintptr_t)t[i].mb };
		int r = rdt_create(root, &rdt, "gold", &made, &e);

		if ((r == 0) != t[i].same)
			fail_msg("%s %s: %d", t[i].l3, t[i].mb, r);
		if (r < 0)
			assert_non_null(strstr(e.msg, "the group 'gold' has another"));
		assert_false(made);
		assert_content("gold/schemata", now);
	}
}

static void removing_what_is_gone_is_fine(void **state)
{
	(void)state;
	assert_int_equal(rdt_remove(root, "nosuch", NULL), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_group_that_was_there),	   TEST(a_closid_without_a_schema_must_be_there),
		TEST(a_group_of_our_own_is_undone), TEST(schemata_are_written),
		TEST(schemas_are_combined),	   TEST(a_group_that_was_there_has_the_schema),
		TEST(removing_what_is_gone_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
