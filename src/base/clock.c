/* Clocks; see clock.h. */
#include "clock.h"

#include <stdio.h>

int64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
	return clock_us() / 1000;
}

/* Days since 1970 as a date. Years begin in March here, so that the day a leap
 * year adds is the last of its year; 400 years are 146097 days. */
static void date_of(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + 719468; /* since 0000-03-01 */
	int64_t era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int of_year = (int)(of_era - (365 * y + y / 4 - y / 100));
	int m = (5 * of_year + 2) / 153; /* 0: March */

	*day = of_year - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = y + era * 400 + (*month <= 2);
}

void clock_utc(const struct timespec *t, int fraction, char ret[CLOCK_TEXT])
{
	int64_t day = 86400, days = t->tv_sec / day, rest = t->tv_sec % day, year;
	int month, of_month, n, s;

	if (rest < 0) {
		rest += day;
		days--;
	}
	s = (int)rest;
	date_of(days, &year, &month, &of_month);
	n = snprintf(ret, CLOCK_TEXT, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)year, month,
		     of_month, s / 3600, s / 60 % 60, s % 60);
	if (fraction)
		snprintf(ret + n, CLOCK_TEXT - (size_t)n, ".%09ldZ", t->tv_nsec);
	else
		snprintf(ret + n, CLOCK_TEXT - (size_t)n, "Z");
}
