/*
 * A process's output to a logging program of the client's (binary:// URIs;
 * `nerdctl run -d` uses one). It is executed with what the process writes to
 * stdout and stderr as fds 3 and 4, and says on fd 5 that it is ready.
 *
 *	r = logger_start(&l, order, e);		// in a helper; its pipes are fd 1 and 2 now
 *	r = create the process
 *	logger_let_go(&l, r);			// kills it if that failed
 *
 * If the helper dies before that, the logging program is killed.
 */
#pragma once

#include <sys/types.h>

struct err;
struct order;

struct logger {
	pid_t pid; /* 0: none */
	int pidfd;
	int guard; /* a pipe to the process that sees to that; -1 */
	int out; /* a terminal's: its output is ours to pass on; -1 */
};
#define LOGGER_INIT { 0, -1, -1, -1 }

/* Nothing to do without o->logger. Waits for it, at most 10 s. */
int logger_start(struct logger *l, const struct order *o, struct err *e);
void logger_let_go(struct logger *l, int r);
