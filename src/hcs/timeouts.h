/*
 * The settings of hcsshim: HCSSHIM_TIMEOUT_... in whole seconds, at least 1, and
 * HCSSHIM_MAX_PARALLEL_START, 0 for no limit. They are read once; a value that is
 * wrong is an error that names it.
 */
#pragma once

#include <stdint.h>

struct err;

/*      member      variable                          default, s */
#define TIMEOUTS(X)                                             \
	X(create,  "HCSSHIM_TIMEOUT_SYSTEMCREATE",    240)      \
	X(start,   "HCSSHIM_TIMEOUT_SYSTEMSTART",     240)      \
	X(pause,   "HCSSHIM_TIMEOUT_SYSTEMPAUSE",     240)      \
	X(resume,  "HCSSHIM_TIMEOUT_SYSTEMRESUME",    240)      \
	X(watcher, "HCSSHIM_TIMEOUT_SYSCALLWATCHER",  240)

struct timeouts { /* in ms */
#define X(member, variable, seconds) uint32_t member;
	TIMEOUTS(X)
#undef X
	uint32_t parallel_starts; /* 0: no limit */
};

/* `get` is getenv(), or a test's. */
int timeouts_read(struct timeouts *t, char *(*get)(const char *name), struct err *e);
