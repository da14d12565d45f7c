/*
 * Work that may take its time (making a container, hooks, waiting for a
 * freezer) is done by a helper: a fork of the shim, without exec, that runs one
 * function and ends. The shim goes on answering meanwhile, and its own memory
 * does not grow with what the helper reads. If the shim dies, the helper does.
 *
 *	static int work(struct helper_result *ret, void *arg, struct err *e)
 *	{
 *		return container_create(..., &ret->pidfd, &ret->pid, e);	// in the helper
 *	}
 *	r = helper_start(&h, &loop, &job, on_done, ctx, e);
 *
 * `done` is called once the helper has ended: only then is a process that it
 * made the shim's child (a subreaper's), so that its status cannot be lost to a
 * parent that is about to go.
 *
 * A helper's log lines go where the shim's go: its own fd 2 may be a container's.
 *
 * A fork takes as long as a tenth of a container, so the first may be made before
 * anybody asks for it: a spare one, which waits to be told its job.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "fd.h"
#include "live_mount.h"
#include "loop.h"

enum { HELPER_PATH = 1024 };

struct helper_result {
	bool answered; /* it came to its end, and has undone what failed */
	pid_t pid; /* of a process it made; 0: none */
	/* The callee's; -1: none. */
	int pidfd; /* of that process */
	int fd; /* a terminal's master, or a file with the answer */
	int out; /* where that terminal's output goes: a logging program's pipe */
	int oom; /* readable when the OOM killer may have come */
	int start; /* container_let_go() */
	bool shared_pids; /* it has no pid namespace of its own */
	bool plain; /* ops->remove() may do */
	bool builtin_init; /* it is berth's own */
	unsigned state; /* restore: enum life_state */
	struct live_mount mount; /* that it has attached */
	char cgroup[HELPER_PATH]; /* its path in each hierarchy; "": none */
	char memory[HELPER_PATH]; /* the directory of its memory cgroup; "": none */
};
#define HELPER_RESULT { .pidfd = -1, .fd = -1, .out = -1, .oom = -1, .start = -1 }

enum { HELPER_FDS = 5 };
static inline void helper_result_fds(struct helper_result *ret, int *fds[HELPER_FDS])
{
	fds[0] = &ret->pidfd;
	fds[1] = &ret->fd;
	fds[2] = &ret->oom;
	fds[3] = &ret->out;
	fds[4] = &ret->start;
}

/* Those that nobody has taken are closed. */
static inline void helper_result_drop(struct helper_result *ret)
{
	int *fds[HELPER_FDS];

	helper_result_fds(ret, fds);
	for (int i = 0; i < HELPER_FDS; i++)
		fd_closep(fds[i]);
}

/* Forked, and waiting. */
struct helper_spare {
	int socket, pidfd; /* -1: none */
};
#define HELPER_SPARE { -1, -1 }

/* What a spare one does, with `ctx` as it was at the fork. */
typedef int helper_told(struct helper_result *ret, const void *ctx, const void *order, size_t len, struct err *e);

struct helper_job {
	int (*work)(struct helper_result *ret, void *arg, struct err *e);
	void *arg; /* as it is at the fork */
	const int *stdio; /* three fds that become 0, 1 and 2; -1, NULL: /dev/null */
	uint32_t deadline_ms; /* then it is killed: ERR_TIMEOUT; 0: none */
	const char *name; /* that ps shows, at most 15 characters; NULL: the shim's */
	struct helper_spare *spare; /* does it, if there is one, by `order`; NULL: none is to */
	/* Executed: not a fork, since the process has threads, but this program, whose
	 * main() calls helper_be(); by `order`, too. */
	bool execute;
	const void *order;
	size_t len;
};

struct helper {
	struct source end, answer, deadline;
	int socket, pidfd; /* -1: none runs */
	bool killed; /* by us, at the deadline */
	struct helper_answer *early; /* that came before its end, which takes its time */
	/* r < 0: `e` says why. `h` may be used again. */
	void (*done)(struct helper *h, int r, struct helper_result *ret, const struct err *e);
	void *ctx;
};

/* What the shim ignores, once it has all others at their default: only Shutdown
 * ends it. A helper puts them back. */
#define HELPER_IGNORED { SIGPIPE, SIGTERM, SIGINT, SIGHUP }

int helper_start(struct helper *h, struct loop *l, const struct helper_job *job,
		 void (*done)(struct helper *h, int r, struct helper_result *ret, const struct err *e),
		 void *ctx, struct err *e);
/* `warm`: what it does at once, so that less is to be done later. None: so be it. */
void helper_spare_begin(struct helper_spare *s, helper_told *work, void (*warm)(const void *ctx), const void *ctx);
void helper_spare_end(struct helper_spare *s);
/* `argv` of one that is executed. */
#define HELPER_ARGV { "berth-helper", NULL }
/* In it: does what it is told, and ends. */
_Noreturn void helper_be(helper_told *work);
/* Without `done`: it is killed. */
void helper_end(struct helper *h);
/* Its deadline is in so many milliseconds, unless it was before that. */
void helper_hurry(struct helper *h, uint32_t ms);
