/*
 * A program that is run for its output, watched by the loop: started by
 * posix_spawn(3), since the process we are in may have threads; held by a pidfd;
 * ended at its deadline with all of its session.
 *
 *	child_init(&c, on_end, ctx);
 *	r = child_start(&c, loop, &command, e);
 *	...
 *	static void on_end(struct child *c)	// c->ended says how, c->out what
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "loop.h"
#include "str.h"

struct err;

enum { CHILD_OUTPUT_MAX = 64 << 10 };

struct child_command {
	const char *path;
	char *const *argv, *const *env; /* NULL-terminated */
	int directory; /* fd: where it begins */
	int kept; /* fd that it has as its fd 3: a lock; -1: none */
	const void *input; /* its stdin */
	size_t input_len;
	bool our_stderr; /* else it is kept in `err` */
	uint32_t timeout_ms;
};

struct child {
	struct loop *loop;
	struct child *next, **link; /* NULL: in no list */
	int pidfd, out_fd, err_fd;
	pid_t pid;
	struct source end, output, errors, deadline;
	struct sb out, err;
	bool runs, timed_out;
	int status; /* as a shell shows it; -ECHILD: somebody else has collected it */
	void (*done)(struct child *c);
	void *ctx;
};

void child_init(struct child *c, void (*done)(struct child *c), void *ctx);
static inline bool child_runs(const struct child *c)
{
	return c->runs;
}
int child_start(struct child *c, struct loop *l, const struct child_command *cmd, struct err *e);
/* It has no longer than this, from now on. */
void child_hurry(struct child *c, uint32_t ms);
/* `done` follows. */
void child_kill(struct child *c);
/* What it said last on stderr, or a word about its status. */
const char *child_words(const struct child *c, char *buf, size_t cap);
/* Forgets it; `done` is not called. `kill`: and ends it. */
void child_done(struct child *c, bool kill);
