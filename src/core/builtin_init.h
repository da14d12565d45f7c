/*
 * The first process of a container that brings none of its own (annotation
 * io.berth.init, src/pause/pause.c): its program, and what that needs of the
 * container's seccomp filter.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;
struct sock_filter;

/* What it is called in errors, as its own words call it. */
#define BUILTIN_INIT_NAME "io.berth.init"

/*      call            arguments                       what is not granted may just be refused */
#define BUILTIN_INIT_CALLS(X)                                                  \
	X(execveat,        0, 0, 0, AT_EMPTY_PATH,         false)              \
	X(prctl,           PR_SET_NAME, 0, 0, 0,           true)               \
	X(getpid,          0, 0, 0, 0,                     false)              \
	X(rt_sigtimedwait, 0, 0, 0, sizeof(uint64_t),      false)              \
	X(wait4,           -1, 0, WNOHANG | __WALL, 0,     false)              \
	X(kill,            -1, 0, 0, 0,                    false)              \
	X(exit_group,      0, 0, 0, 0,                     false)

/* A sealed file in memory, which is executed; of this container alone, so that
 * what the container does to it (its mode is not sealed) is nobody else's matter. */
int builtin_init_open(struct err *e);

/* Whether that can be executed and work below this filter. */
int builtin_init_check(const struct sock_filter *filter, size_t n, struct err *e);
