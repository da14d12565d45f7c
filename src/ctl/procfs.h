/*
 * What the kernel tells of the processes of a system, and of the shim above them:
 * where each of them is.
 */
#pragma once

#include <sys/types.h>

#include "ctl.h"

/*      id       how it is called */
#define PROC_ROLES(X)                                                          \
	X(SHIM,    "shim")                                                     \
	X(HELPER,  "helper") /* the shim's, at work for an operation */        \
	X(PROCESS, "process")                                                  \
	X(THREAD,  "thread") /* berthd's, the first of them the process itself */

enum proc_role {
#define X(id, name) ROLE_##id,
	PROC_ROLES(X)
#undef X
};

const char *proc_role_name(enum proc_role role);

struct proc_info {
	pid_t pid;
	enum proc_role role;
	char state;
	const char *name; /* "sh" */
	const char *work; /* of a helper: "create" */
	const char *waits_in; /* a function of the kernel; "" when it runs */
	const char *call; /* the number of its system call and the arguments, or "running" */
	const char *stack; /* of the kernel, lines; "" when we may not look */
	int64_t age_ms;
};

struct proc_list {
	struct proc_info *v;
	size_t n, max;
};

/* The helpers of a shim. Of a process that is none: nothing. */
int proc_look_helpers(struct request *q, pid_t shim, struct proc_list *ret, struct err *e);
/* The arguments of a shim, NULL-terminated; NULL: there is no such shim. */
const char **proc_shim_args(struct request *q, pid_t shim);

/* The threads of a process; none when it has ended. */
int proc_look_threads(struct request *q, pid_t pid, struct proc_list *ret, struct err *e);

/* The shim first, then its helpers, then `pids`. Those that end meanwhile are
 * left out. All of it is the arena's. */
int proc_look(struct request *q, const pid_t *pids, size_t n, struct proc_list *ret, struct err *e);
