/*
 * A verb of the command line is one const entry, exported by the file that
 * implements it; main.c walks the array in verbs.c, and help, completion and
 * the manual page are printed from it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "container.h"
#include "options.h"

struct err;

/* The flags before the verb. */
struct global_options {
	bool debug, systemd_cgroup, version;
	const char *log, *log_format, *root, *criu, *rootless, *cgroup_manager;
};

extern const struct option_def global_flags[];

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

struct verb {
	const char *name;
	const char *summary;
	const char *usage; /* the arguments, and what they are; NULL: none */
	const char *description; /* NULL: none */
	const struct option_def *options; /* NULL: none */
	size_t options_size; /* of the struct they fill */
	int min_args, max_args; /* -1: no limit */
	bool hidden;
	bool enters; /* becomes or enters a container: runs from a protected file */
	int failure; /* exit code of an error; 0: 1 */
	/* The program's exit code, or < 0 with `e` filled. */
	int (*run)(struct request *q, void *options, struct err *e);
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

extern const struct verb *const verbs[]; /* NULL-terminated */
const struct verb *verb_find(const char *name);

/* verbs.c: how a number of arguments other than the verb's is told. */
int verb_check_args(const struct verb *v, size_t n, struct err *e);

/* Opens the container that the first argument names. */
int request_open(struct request *q, bool lock, struct container *ret, struct err *e);

/* help.c */
void help_program(void);
void help_verb(const struct verb *v);

/* Text to stdout, whole. 0 or -errno with `e` filled. */
int put_text(const char *s, size_t len, struct err *e);

#define PROGRAM "berth"
#define DEFAULT_ROOT "/run/berth/runtime"
