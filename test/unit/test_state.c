/* The life-cycle table: complete, and what docs/states.md shows. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "err.h"
#include "file.h"
#include "mem.h"
#include "state.h"
#include "str.h"

static void every_cell_has_an_answer(void **state)
{
	(void)state;
	for (int s = 0; s < CT_COUNT; s++)
		for (int ev = 0; ev < EV_COUNT; ev++) {
			struct err e = { 0 };
			int r = state_check((enum container_state)s, (enum container_event)ev, &e);

			if (r < 0) {
				assert_int_equal(e.kind, ERR_STATE);
				assert_true(strlen(e.msg) > 10);
			}
		}
}

static void the_field_s_rules(void **state)
{
	static const struct {
		enum container_state s;
		enum container_event ev;
		bool allowed;
	} rows[] = {
		{ CT_CREATED, EV_START, true },	  { CT_RUNNING, EV_START, false },
		{ CT_STOPPED, EV_START, false },  { CT_RUNNING, EV_DELETE, false },
		{ CT_CREATED, EV_DELETE, true },  { CT_STOPPED, EV_DELETE, true },
		{ CT_PAUSED, EV_DELETE, false },  { CT_PAUSED, EV_DELETE_FORCE, true },
		{ CT_PAUSED, EV_KILL, true },	  { CT_STOPPED, EV_KILL, false },
		{ CT_STOPPED, EV_EXEC, false },	  { CT_PAUSED, EV_EXEC, false },
		{ CT_PAUSED, EV_RESUME, true },	  { CT_RUNNING, EV_RESUME, false },
		{ CT_CREATING, EV_DELETE, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(state_check(rows[i].s, rows[i].ev, NULL) == 0, rows[i].allowed);
}

/* `GOLDEN_UPDATE=1` rewrites the page. */
static void the_page_is_the_table(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb out = SB_INIT;
	struct err e = { 0 };
	char *page;
	size_t len;

	(void)state;
	sb_puts(&out, "# The life cycle of a container\n\n"
		      "Printed from the table in `src/core/state.c`; `test_state` compares, and rewrites it\n"
		      "with `GOLDEN_UPDATE=1`. A cell is the state after the event, or the error.\n\n");
	state_print_table(&out);
	if (getenv("GOLDEN_UPDATE")) {
		int dir = file_mkdirs("docs", 0755, &e);

		assert_true(dir >= 0);
		assert_int_equal(file_replace(dir, "states.md", out.s, out.len, 0644, &e), 0);
	}
	assert_int_equal(file_read(&a, AT_FDCWD, "docs/states.md", 1 << 20, &page, &len, &e), 0);
	assert_string_equal(page, out.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_has_an_answer),
		cmocka_unit_test(the_field_s_rules),
		cmocka_unit_test(the_page_is_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
