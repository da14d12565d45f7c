/*
 * Programs that are called as PROGRAM [FLAGS] VERB [FLAGS] [ARGUMENTS]. A verb is
 * one const entry of a table; help, completion and the check of the manual page
 * are printed from it.
 *
 *	const struct program program = { .name = "berth", .flags = global_flags, .verbs = verbs };
 *	...
 *	v = cli_find(&program, *args);
 *	if (v && cli_check_args(&program, v, n_args, e) == 0)
 *		r = v->run(&request, options, e);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "options.h"

struct err;
struct request; /* one call of the program: its own */
struct sb;

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
	bool command; /* after the first argument comes a command line of its own */
	int failure; /* exit code of an error; 0: 1 */
	/* The program's exit code, or < 0 with `e` filled. */
	int (*run)(struct request *q, void *options, struct err *e);
};

struct program {
	const char *name;
	const char *summary;
	const char *about; /* what the help page says first: lines */
	const struct option_def *flags; /* before the verb */
	const struct verb *const *verbs; /* NULL-terminated, in the order of the help page */
};

/* NULL: no such verb. */
const struct verb *cli_find(const struct program *p, const char *name);
/* How a number of arguments other than the verb's is told. */
int cli_check_args(const struct program *p, const struct verb *v, size_t n, struct err *e);

/* To standard output; 0 or -errno with `e` filled. */
int cli_help(const struct program *p, struct err *e);
int cli_help_verb(const struct program *p, const struct verb *v, struct err *e);
/* Every verb and the global flags, one a line; or (verb not NULL) the flags of one. */
int cli_words(const struct program *p, const char *verb, struct err *e);

/* Text to standard output, whole. 0 or -errno with `e` filled; -ENOMEM when the
 * buffer says so. */
int cli_put(const char *s, size_t len, struct err *e);
int cli_put_sb(const struct sb *s, struct err *e);
