/* The words of an errno value: glibc's, as Go programs print them, whatever
 * C library berth itself is linked with. */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "err.h"

static void words_are_the_usual_ones(void **state)
{
	int known = 0;

	for (int sys = -1; sys < 4096; sys++) {
		const char *theirs = strerrordesc_np(sys), *ours = err_words(sys);
		char want[128];

		if (!theirs || sys <= 0) {
			assert_null(ours);
			continue;
		}
		snprintf(want, sizeof want, "%s", theirs);
		if (!isupper((unsigned char)want[1])) /* "RFS specific error" */
			want[0] = (char)tolower((unsigned char)want[0]);
		assert_non_null(ours);
		assert_string_equal(ours, want);
		assert_string_equal(err_cause(sys), want);
		known++;
	}
	assert_in_range(known, 130, 200);
}

static void a_number_without_words(void **state)
{
	assert_string_equal(err_cause(4095), "unknown error 4095");
	assert_string_equal(err_cause(41), "unknown error 41"); /* a gap in Linux's numbers */
}

static void words_that_do_not_fit_are_shortened(void **state)
{
	char id[sizeof((struct err *)0)->msg + 100];
	struct err e;

	memset(id, 'x', sizeof id);
	id[sizeof id - 1] = '\0';
	err_set(&e, ERR_NOT_FOUND, 0, "task %s", id);
	assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
	assert_string_equal(e.msg + sizeof e.msg - 5, "x...");
	for (size_t i = 0; i + 2 < sizeof id; i += 2)
		memcpy(id + i, "\u00e4", 2);
	for (int odd = 0; odd < 2; odd++) {
		err_set(&e, ERR_NOT_FOUND, 0, "%s%s", odd ? "-" : "", id);
		assert_memory_equal(e.msg + strlen(e.msg) - 5, "\u00e4...", 5);
	}
}

static void cause_comes_after_the_words(void **state)
{
	struct err e;
	char buf[256];

	assert_int_equal(err_sys(&e, -EBUSY, "unmount '%s'", "/x"), -EBUSY);
	assert_string_equal(err_text(&e, buf, sizeof buf),
			    "unmount '/x': device or resource busy");
	assert_int_equal(err_set(&e, ERR_INVALID, 0, "no"), -EINVAL);
	assert_string_equal(err_text(&e, buf, sizeof buf), "no");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_the_usual_ones),
		cmocka_unit_test(a_number_without_words),
		cmocka_unit_test(words_that_do_not_fit_are_shortened),
		cmocka_unit_test(cause_comes_after_the_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
