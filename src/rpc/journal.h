/*
 * The shim's events on file, so that none is lost while nobody listens: each
 * has a number, one more than the last, and stays until a megabyte of newer
 * ones has come. Written before anyone is told; no fsync, as it is on tmpfs.
 * Format: docs/formats/journal.md.
 *
 *	journal_open(&j, path, e);
 *	journal_add(&j, bytes, len, e);		// it is number j.last now
 *	struct journal_reader rd = { 0 };	// rd.number = n: from the one after n
 *	while (journal_next(&j, &rd, &bytes) > 0)
 *		...				// bytes is rd.number
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct sb;

enum { JOURNAL_MAX = 1 << 20, JOURNAL_EVENT_MAX = 256 << 10 };

struct journal {
	char *path; /* owned; NULL: none is kept */
	uint64_t first, last; /* numbers of the events in it; last < first: none */
	off_t size;
	unsigned generation; /* the file has been written anew so many times */
};

struct journal_reader {
	uint64_t number; /* of the event that was read last */
	off_t at;
	unsigned generation; /* that `at` belongs to; 0: find it by number */
};

/* Begins with an empty one. */
int journal_open(struct journal *j, const char *path, struct err *e);
/* A file beside the journal of a shim that was killed: others have added to it. */
#define JOURNAL_KILLED "killed"

/* One that another writer has left; events may be added. */
int journal_open_left(struct journal *j, const char *path, struct err *e);
/* The next of an empty one's events is this. */
static inline void journal_go_on_from(struct journal *j, uint64_t number)
{
	j->first = number;
	j->last = number - 1;
}
void journal_close(struct journal *j); /* the file stays */

int journal_add(struct journal *j, const void *data, size_t len, struct err *e);
/* 1: rd->number is now that of the event in `out`, which may be later than the
 * next where that is gone; 0: there is none yet; -errno. */
int journal_next(struct journal *j, struct journal_reader *rd, struct sb *out);
