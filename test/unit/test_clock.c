/* Dates beside the C library's, and what the monotonic clock promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"

static void dates(void **state)
{
	static const int64_t more[] = { 0, -1, 951782399, 951782400, 4107542400, 253402300799, -62135596800 };
	struct timespec t = { 0 };
	char ours[CLOCK_TEXT], theirs[CLOCK_TEXT];
	struct tm tm;

	for (size_t i = 0; i < 20000 + sizeof more / sizeof more[0]; i++) {
		/* every 36 hours and a bit since 1890: each day of many leap years */
		t.tv_sec = i < 20000 ? -2524608000 + (int64_t)i * 131071 : more[i - 20000];
		gmtime_r(&t.tv_sec, &tm);
		snprintf(theirs, sizeof theirs, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
			 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		clock_utc(&t, 0, ours);
		assert_string_equal(ours, theirs);
	}
}

static void fraction(void **state)
{
	struct timespec t = { 1795318621, 42 };
	char ours[CLOCK_TEXT];

	clock_utc(&t, 1, ours);
	assert_string_equal(ours, "2026-11-22T03:37:01.000000042Z");
}

static void goes_on(void **state)
{
	int64_t a = clock_ms();

	assert_true(a > 0 && clock_ms() >= a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates),
		cmocka_unit_test(fraction),
		cmocka_unit_test(goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
