/*
 * Something that is shown again and again: on a terminal in place, else one below
 * the other; with --json as the items of one list, which ends when we are told to.
 */
#pragma once

#include "ctl.h"

struct watch_flags {
	bool watch;
	int64_t interval; /* nanoseconds */
	int64_t count; /* 0: without end */
};

#define WATCH_FLAGS(strct, m)                                                                          \
	OPTION("interval", 0, OPT_DURATION, strct, m.interval, "2s", "how long until the next look"),     \
	OPTION("count", 0, OPT_INT, strct, m.count, NULL, "end after so many looks")

/* Appends what is to be shown (with --json: one value). Its arena is its own. */
typedef int watch_round(struct request *q, void *ctx, struct sb *out, struct err *e);

int watch(struct request *q, const struct watch_flags *f, watch_round *round, void *ctx, struct err *e);
