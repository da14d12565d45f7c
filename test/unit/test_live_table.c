/* The mount table as live_mount.c reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "live_table.h"
#include "mem.h"

static char table[] = "22 1 0:20 / / rw - tmpfs root rw\n"
		      "31 30 0:9 / /a/b/deepest rw - tmpfs x rw\n" /* before what it is on */
		      "23 22 0:21 / /proc rw,nosuid shared:5 - proc proc rw\n"
		      "24 22 8:1 /from /a\\040b\\011\\134040 ro master:1 - ext4 /dev/sda rw\n"
		      "30 25 0:8 / /a/b rw - tmpfs x rw\n"
		      "25 22 0:7 / /a rw - tmpfs x rw\n"
		      "26 25 0:6 / /a rw - tmpfs over rw\n"
		      "broken\n"
		      "27 25 0:6 / relative rw - tmpfs x rw\n"
		      "28 x 0:6 / /no rw - tmpfs x rw\n"
		      "29 25 0:6 /";

static void what_is_below(void **state)
{
	static const struct {
		uint64_t id;
		size_t n;
	} cases[] = { { 22, 7 }, { 25, 4 }, { 30, 2 }, { 31, 1 }, { 24, 1 }, { 1, 0 }, { 99, 0 } };

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		char *text = arena_strdup(&a, table);
		struct live_entry *list;
		size_t n;

		assert_int_equal(live_table_parse(&a, text, cases[c].id, &list, &n), 0);
		assert_int_equal(n, cases[c].n);
		for (size_t i = 0; i < n; i++)
			for (size_t j = i; j < n; j++)
				assert_true(list[j].id != list[i].parent); /* each after what it is on */
	}
}

static void names_are_as_they_are(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct live_entry *list;
	size_t n;

	(void)state;
	assert_int_equal(live_table_parse(&a, arena_strdup(&a, table), 24, &list, &n), 0);
	assert_string_equal(list[0].path, "/a b\t\\040");
	assert_int_equal(list[0].parent, 22);
	assert_int_equal(live_table_parse(&a, arena_strdup(&a, ""), 24, &list, &n), 0);
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_below),
		cmocka_unit_test(names_are_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
