/* Clocks: for deadlines, and as people and records read the time. */
#pragma once

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC in milliseconds. */
int64_t clock_ms(void);
int64_t clock_us(void); /* in microseconds */

/* UTC as RFC 3339 has it, "2026-11-22T03:37:00Z"; with `fraction`, nine digits
 * of it. Unlike gmtime_r(3), never reads the host's time zone. */
enum { CLOCK_TEXT = 64 };
void clock_utc(const struct timespec *t, int fraction, char ret[CLOCK_TEXT]);

/* The other way, with any fraction and zone ("...T03:37:00.5+01:00"), as Go reads RFC
 * 3339: 0 or -EINVAL. Of the fraction, what is less than a nanosecond is left out. */
int clock_read(const char *s, struct timespec *ret);
