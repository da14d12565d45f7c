/*
 * Flags of the command line, by table, as Go's flag package reads them: -flag,
 * --flag, --flag=value, --flag value; a boolean takes a value only after '=';
 * flags end at the first argument that is none, or at "--".
 *
 *	struct kill_options { bool all; };
 *	static const struct option_def kill_flags[] = {
 *		OPTION("all", 'a', OPT_BOOL, struct kill_options, all, NULL,
 *		       "signal every process of the container"),
 *		{ 0 },
 *	};
 *
 * Help and completion are printed from the same table.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

enum option_type {
	OPT_BOOL, /* bool */
	OPT_SWITCH, /* int: 0 not given, 1 true, -1 false */
	OPT_STRING, /* const char *: NULL when not given and no default */
	OPT_INT, /* int64_t */
	OPT_DURATION, /* int64_t, nanoseconds: "5s", "1m30s", "100ms" */
	OPT_LIST, /* struct option_list */
};

struct option_list {
	const char **v;
	size_t n;
};

struct option_def {
	const char *name; /* NULL ends the table */
	char letter; /* '\0': none */
	enum option_type type;
	size_t offset;
	const char *otherwise; /* the default, as it would be typed; NULL: none */
	const char *help; /* NULL: accepted, not shown */
};

#define OPTION(name, letter, type, strct, member, otherwise, help)             \
	{ name, letter, type, offsetof(strct, member), otherwise, help }

/* What options_parse found beside flags. */
enum { OPTIONS_HELP = 1 };

/* Fills `into` (defaults first) and moves *args past the flags. 0,
 * OPTIONS_HELP when -h or --help was met, or -EINVAL with Go's words. `args` is
 * NULL-terminated. */
int options_parse(struct arena *a, const struct option_def *defs, void *into,
		  char ***args, struct err *e);

/* Go's time.ParseDuration, in nanoseconds. */
int duration_parse(const char *s, int64_t *ret);
/* units.RAMInBytes: "512", "10k", "1.5g", "2GiB", in powers of 1024. */
int bytes_parse(const char *s, int64_t *ret);
/* A number of CPUs, "1.5": 0.01 to 100000. */
int cpus_parse(const char *s, double *ret);
/* strconv.ParseBool. */
int bool_parse(const char *s, bool *ret);
