/* Clocks; see clock.h. */
#include "clock.h"

#include <errno.h>
#include <stdbool.h>
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

/* And back: the inverse of date_of(). */
static int64_t days_of(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* So many digits, and what has to follow them ('\0': nothing is looked at). */
static bool number(const char **s, int digits, char then, int max, int *ret)
{
	*ret = 0;
	for (; digits; digits--, ++*s) {
		if (**s < '0' || **s > '9')
			return false;
		*ret = *ret * 10 + (**s - '0');
	}
	if (then && *(*s)++ != then)
		return false;
	return *ret <= max;
}

static bool fraction(const char **s, long *ret)
{
	long unit = 100000000;
	const char *from;

	*ret = 0;
	if (**s != '.')
		return true;
	for (from = ++*s; **s >= '0' && **s <= '9'; ++*s, unit /= 10)
		*ret += (**s - '0') * unit;
	return *s > from;
}

/* "Z" or "+01:00", in seconds, and nothing behind it. */
static bool zone(const char *s, int *ret)
{
	int hours, minutes, sign = *s == '-' ? -1 : 1;

	*ret = 0;
	if (*s == 'Z')
		return !s[1];
	if (*s != '+' && *s != '-')
		return false;
	s++;
	if (!number(&s, 2, ':', 24, &hours) || !number(&s, 2, 0, 60, &minutes) || *s)
		return false;
	*ret = sign * (hours * 3600 + minutes * 60);
	return true;
}

int clock_read(const char *s, struct timespec *ret)
{
	int year, month, day, h, m, sec, off, of_month, month_again;
	int64_t days, year_again;
	long ns;

	if (!number(&s, 4, '-', 9999, &year) || !number(&s, 2, '-', 12, &month) || !number(&s, 2, 'T', 31, &day) ||
	    !number(&s, 2, ':', 23, &h) || !number(&s, 2, ':', 59, &m) || !number(&s, 2, 0, 59, &sec) ||
	    !fraction(&s, &ns) || !zone(s, &off) || !month || !day)
		return -EINVAL;
	days = days_of(year, month, day);
	date_of(days, &year_again, &month_again, &of_month);
	if (month_again != month) /* the 30th of February */
		return -EINVAL;
	*ret = (struct timespec){ .tv_sec = days * 86400 + h * 3600 + m * 60 + sec - off, .tv_nsec = ns };
	return 0;
}
