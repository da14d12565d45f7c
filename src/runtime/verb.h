/*
 * A verb of the command line is one const entry (base/cli.h), exported by the
 * file that implements it; main.c walks the array in verbs.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli.h"
#include "container.h"

struct err;

/* The flags before the verb. */
struct global_options {
	bool debug, systemd_cgroup, version;
	const char *log, *log_format, *root, *criu, *rootless, *cgroup_manager;
};

/* One call of the program. */
struct request {
	struct core core;
	char *const *argv; /* of this program, to execute it again; see selfexe.h */
	struct global_options globals;
	const struct verb *verb;
	char **args; /* after the verb's flags, NULL-terminated */
	size_t n_args;
	uint32_t listen_fds; /* LISTEN_FDS that are meant for us */
};

/* In the order of the help page. */
#define VERBS(X)                                                               \
	X(checkpoint)                                                          \
	X(create)                                                              \
	X(delete)                                                              \
	X(events)                                                              \
	X(exec)                                                                \
	X(kill)                                                                \
	X(list)                                                                \
	X(pause)                                                               \
	X(ps)                                                                  \
	X(restore)                                                             \
	X(resume)                                                              \
	X(run)                                                                 \
	X(spec)                                                                \
	X(start)                                                               \
	X(state)                                                               \
	X(update)                                                              \
	X(features)                                                            \
	X(validate)                                                            \
	X(completion)

#define X(name) extern const struct verb verb_##name;
VERBS(X)
#undef X

extern const struct program program;

/* Opens the container that the first argument names. */
int request_open(struct request *q, bool lock, struct container *ret, struct err *e);

#define PROGRAM "berth"
#define DEFAULT_ROOT "/run/berth/runtime"
