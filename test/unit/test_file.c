/* Removing a tree: of any depth, and nothing that a link leads to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "file.h"

static char top[] = "/tmp/berth-file-XXXXXX";

static int setup(void **state)
{
	(void)state;
	strcpy(top, "/tmp/berth-file-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(top);
}

static void touch(int dir, const char *name)
{
	OWN_FD fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
}

/* A chain of directories below `dir`, each with a file. */
static void make_chain(int dir, const char *name, int depth)
{
	OWN_FD at = fcntl(dir, F_DUPFD_CLOEXEC, 0);

	for (int i = 0; i < depth; i++) {
		assert_int_equal(mkdirat(at, name, 0700), 0);
		int next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_true(next >= 0);
		close(at);
		at = next;
		touch(at, "file");
	}
}

static void of_any_depth(void **state)
{
	const struct rlimit few = { 128, 128 };
	OWN_FD dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(mkdirat(dir, "tree", 0700), 0);
	{
		OWN_FD tree = openat(dir, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		make_chain(tree, "a", 1000);
		make_chain(tree, "b", 130);
		make_chain(tree, ".removed.0", 70); /* a name that it would take */
		touch(tree, ".removed.1");
	}
	assert_int_equal(file_remove_tree(dir, "tree"), 0);
	assert_int_equal(file_remove_tree(dir, "tree"), 0); /* absent is fine */
	assert_int_equal(faccessat(dir, "tree", F_OK, 0), -1);
}

static void links_are_not_followed(void **state)
{
	OWN_FD dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(mkdirat(dir, "tree", 0700), 0);
	assert_int_equal(mkdirat(dir, "other", 0700), 0);
	{
		OWN_FD other = openat(dir, "other", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		touch(other, "file");
	}
	assert_int_equal(symlinkat("../other", dir, "tree/link"), 0);
	assert_int_equal(symlinkat("other", dir, "link"), 0);
	assert_int_equal(file_remove_tree(dir, "tree"), 0);
	assert_true(file_remove_tree(dir, "link") < 0);
	assert_int_equal(faccessat(dir, "other/file", F_OK, 0), 0);
	assert_int_equal(unlinkat(dir, "link", 0), 0);
	assert_int_equal(file_remove_tree(dir, "other"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(of_any_depth, setup, teardown),
		cmocka_unit_test_setup_teardown(links_are_not_followed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
