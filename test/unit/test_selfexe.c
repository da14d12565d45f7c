/* The verbs that run from a protected copy: the list that runtime/entry.c has
 * before the C library exists is the verb table's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mem.h"
#include "selfexe.h"
#include "verb.h"

static void the_list_is_the_verb_table_s(void **state)
{
	static const char *const listed[] = { SELFEXE_VERBS };
	size_t entering = 0;

	(void)state;
	for (size_t i = 0; program.verbs[i]; i++) {
		bool found = false;

		for (size_t j = 0; j < ARRAY_SIZE(listed); j++)
			found = found || !strcmp(listed[j], program.verbs[i]->name);
		assert_int_equal(found, program.verbs[i]->enters);
		entering += program.verbs[i]->enters;
	}
	assert_int_equal(entering, ARRAY_SIZE(listed));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_list_is_the_verb_table_s) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
