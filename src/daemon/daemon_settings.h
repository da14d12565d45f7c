/*
 * What berthd is told by /etc/berth/berthd.json and its command line: the former
 * over the defaults, the latter over both. Its member `engine` is the engine's
 * settings (engine.h), for this program only. docs/berthd.md
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"
#include "str.h"

struct arena;
struct err;

struct daemon_shim { /* in place of ours, for this name */
	char *runtime, *program;
};

struct daemon_settings {
	char *root; /* directory: the database */
	char *address; /* the socket; ADDRESS.ttrpc beside it is for foreign shims */
	uint32_t uid, gid; /* whose the sockets are */
	char *metrics; /* a socket's path, or 127.0.0.1:PORT; "": none */
	char *log_level, *log_format, *log_file;
	struct daemon_shim *shims;
	size_t n_shims;
	bool no_shim; /* tasks that would get our shim have us as their parent */
	struct engine_settings engine;
};

/* NULL: ours. */
const char *daemon_settings_shim(const struct daemon_settings *s, const char *runtime);

/* From the command line; NULL: not given. */
struct daemon_flags {
	const char *config, *root, *state, *address, *log_level, *log_format;
};

/* The strings are the arena's. */
int daemon_settings_read(struct arena *a, const struct daemon_flags *f, struct daemon_settings *ret, struct err *e);
int daemon_settings_default(struct arena *a, struct daemon_settings *ret, struct err *e);
/* While it runs: what is to hold now, where members that only a start can take are as before. */
struct settings_again {
	struct daemon_settings next;
	struct sb taken, fixed; /* names of members that are other than before; the latter in vain */
};
/* `fixed` members are now's strings still, all others the arena's. Nothing has changed on failure. */
int daemon_settings_again(struct arena *a, const struct daemon_flags *f, const struct daemon_settings *now,
			  struct settings_again *ret, struct err *e);
/* A file that says what holds now, in JSON. */
void daemon_settings_print(const struct daemon_settings *s, struct sb *out);
