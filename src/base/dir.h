/*
 * Reading a directory by its fd, without a heap: also between clone3 and execve.
 *
 *	struct dir_reader rd = { .fd = fd };
 *	while ((d = dir_next(&rd)))
 *		...			// d->name, until the next call
 *	return (int)rd.n;		// 0, or -errno
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* What getdents64(2) writes; glibc does not promise the layout of its own. */
struct dir_entry {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type; /* DT_*; DT_UNKNOWN where the file system does not tell */
	char name[];
};

struct dir_reader {
	int fd; /* borrowed, opened for reading */
	ssize_t n, at;
	_Alignas(8) char buf[4096];
};

/* The next entry but "." and ".."; NULL at the end or on an error. */
const struct dir_entry *dir_next(struct dir_reader *r);
