/* Dates beside the C library's, and what the monotonic clock promises. */
#include <errno.h>
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
	struct timespec t = { 0 }, back;
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
		if (tm.tm_year + 1900 < 0)
			continue;
		assert_int_equal(clock_read(ours, &back), 0);
		assert_int_equal(back.tv_sec, t.tv_sec);
	}
}

static void texts(void **state)
{
	static const struct {
		const char *text;
		int64_t sec;
		long ns;
	} good[] = {
		{ "2026-11-22T03:37:01Z", 1795318621, 0 },
		{ "2026-11-22T03:37:01.5Z", 1795318621, 500000000 },
		{ "2026-11-22T03:37:01.123456789012Z", 1795318621, 123456789 },
		{ "2026-11-22T04:37:01+01:00", 1795318621, 0 },
		{ "2026-11-21T20:07:01-07:30", 1795318621, 0 },
		{ "0000-02-29T00:00:00Z", -62162121600, 0 },
		{ "1969-12-31T23:59:59.5Z", -1, 500000000 },
	};
	static const char *const bad[] = {
		"", "2026", "2026-11-22", "2026-11-22T03:37:01", "2026-11-22 03:37:01Z", "2026-11-22T03:37:01z",
		"2026-11-22T03:37:01Zx", "2026-11-22T03:37:01.Z", "2026-11-22T3:37:01Z", "2026-11-22T03:37:60Z",
		"2026-11-22T24:00:00Z", "2026-02-30T00:00:00Z", "2025-02-29T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-22T03:37:01+0100",
		"2026-11-22T03:37:01+01:00Z",
		"2026-11-22T03:37:01+1:00", "-026-11-22T03:37:01Z", "2026-11-22T03:60:01Z", " 2026-11-22T03:37:01Z",
	};
	struct timespec t;

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_int_equal(clock_read(good[i].text, &t), 0);
		assert_int_equal(t.tv_sec, good[i].sec);
		assert_int_equal(t.tv_nsec, good[i].ns);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(clock_read(bad[i], &t), -EINVAL);
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
		cmocka_unit_test(texts),
		cmocka_unit_test(goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
