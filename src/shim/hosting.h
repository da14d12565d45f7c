/*
 * The shim's service in a process that has other things to do: a daemon that is the
 * tasks' parent itself (`no_shim`). Each task has a shim of its own, as far as that
 * is memory, on the daemon's loop; its calls come over a pair of sockets. Runtimes,
 * and all else that takes time, are executed (helper.h).
 *
 * A task is there again after a restart, as its bundle and its runtime have it: its
 * end is watched, but its status is not ours to get any more, its streams have
 * ended, and its execs are forgotten.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct err;
struct loop;
struct shim_host;

struct shim_host_task {
	const char *namespace, *id, *bundle; /* with shim.json: docs/shim.md */
	const char *instance; /* the same over restarts */
	const char *binary; /* the runtime that no name stands for */
	bool create; /* else it has been created, by an earlier run or by this one */
};

/* `is_other`: a child that is not ours to reap. */
int shim_host_new(struct shim_host **ret, struct loop *l, bool (*is_other)(pid_t pid), struct err *e);
/* The tasks go on. */
void shim_host_free(struct shim_host *h);
/* A connection to the task's service. -ECONNREFUSED: there is none to be had: it was never
 * created, or it has been deleted. */
int shim_host_connect(struct shim_host *h, const struct shim_host_task *t, struct err *e);

/* For main(): whether this is the daemon itself, executed to help; then it does not return. */
void shim_host_help(char **argv);
