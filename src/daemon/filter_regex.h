/* RE2's regular expressions in PCRE2's words. Private to filter*.c. */
#pragma once

#include <stddef.h>

struct sb;

/* The same expression for PCRE2, or -EINVAL: RE2 does not take it. What both refuse may
 * be left to PCRE2. */
int filter_regex(const char *s, size_t len, struct sb *out);
