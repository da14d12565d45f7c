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
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
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
	bool shared_pids; /* it has no pid namespace of its own */
	char cgroup[HELPER_PATH]; /* its path in each hierarchy; "": none */
	char memory[HELPER_PATH]; /* the directory of its memory cgroup; "": none */
};
#define HELPER_RESULT { .pidfd = -1, .fd = -1, .out = -1, .oom = -1 }

struct helper_job {
	int (*work)(struct helper_result *ret, void *arg, struct err *e);
	void *arg; /* as it is at the fork */
	const int *stdio; /* three fds that become 0, 1 and 2; -1, NULL: /dev/null */
	uint32_t deadline_ms; /* then it is killed: ERR_TIMEOUT; 0: none */
};

struct helper {
	struct source end, deadline;
	int socket, pidfd; /* -1: none runs */
	bool killed; /* by us, at the deadline */
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
