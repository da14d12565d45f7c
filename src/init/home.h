/*
 * Finds a uid's home directory in a passwd file that is fed in pieces of any
 * size. No heap; a line or a path that is too long is passed over.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct home_reader {
	uint64_t uid; /* wanted */
	uint64_t number; /* third field of this line so far */
	unsigned field; /* 0: name, 2: uid, 5: home */
	size_t len;
	bool bad, found;
	char home[PATH_MAX];
};

void home_reader_init(struct home_reader *r, uint32_t uid);
/* True when the answer is known. */
bool home_reader_feed(struct home_reader *r, const char *data, size_t n);
/* "/" when there was none. */
const char *home_reader_result(struct home_reader *r);
