/* Tasks that are there, and that come, by their directories. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "discover.h"
#include "err.h"
#include "file.h"

static char dir[] = "/tmp/berth-discover-XXXXXX";
static struct loop loop = LOOP_INIT;
static struct discover d;
static char found[256]; /* "+NS/ID ", "-" for those that were there */

static void on_found(void *ctx, const char *namespace, const char *id, bool is_new)
{
	size_t n = strlen(found);

	snprintf(found + n, sizeof found - n, "%s%s/%s ", is_new ? "+" : "-", namespace, id);
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void make(const char *name)
{
	assert_int_equal(mkdir(path_of(name), 0700), 0);
}

static int on_time(struct source *s, uint32_t events)
{
	loop_stop(&loop, 0);
	return 0;
}

/* What is found meanwhile. */
static const char *after_a_turn(void)
{
	struct source timer = { 0 };

	*found = '\0';
	assert_int_equal(source_timer(&timer, &loop, 5, on_time), 0);
	assert_int_equal(loop_run(&loop), 0);
	return found;
}

static int setup(void **state)
{
	struct err e;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(loop_init(&loop, &e), 0);
	make("a");
	make("a/1");
	make(".shims");
	*found = '\0';
	d = (struct discover){ .found = on_found, .fd = -1 };
	assert_int_equal(discover_begin(&d, &loop, dir, &e), 0);
	assert_string_equal(found, "-a/1 ");
	return 0;
}

static int teardown(void **state)
{
	discover_end(&d);
	loop_done(&loop);
	assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return 0;
}

static void what_comes_is_found(void **state)
{
	make("a/.new-1");
	make("a/2");
	make("b");
	assert_string_equal(after_a_turn(), "+a/2 ");
	make("b/1");
	assert_string_equal(after_a_turn(), "+b/1 ");
}

/* The kernel tells of its end only when nobody has it open any more. */
static void a_namespace_that_is_made_anew(void **state)
{
	int fd = open(path_of("a"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(rmdir(path_of("a/1")), 0);
	assert_int_equal(rmdir(path_of("a")), 0);
	make("a");
	make("a/2");
	assert_string_equal(after_a_turn(), "+a/2 ");
	close(fd);
	assert_string_equal(after_a_turn(), "");
	make("a/3");
	assert_string_equal(after_a_turn(), "+a/3 ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_comes_is_found),
		TEST(a_namespace_that_is_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
