/*
 * The bundle that create and run are given: its directory and its config.json,
 * read once here so that what the command line adds goes into one place.
 */
#pragma once

#include <stdint.h>

struct err;
struct request;
struct spec;
struct spec_process;

struct bundle {
	const char *path; /* absolute, without symbolic links */
	const char *text; /* of config.json: saved with the container */
	struct spec *spec;
};

/* `dir`: NULL or "" is the current directory. */
int bundle_load(struct request *q, const char *dir, struct bundle *ret, struct err *e);

/* The absolute path of a directory. */
int bundle_path(struct request *q, const char *dir, const char **ret, struct err *e);

/* Sockets that were passed to us are passed on: LISTEN_FDS and LISTEN_PID=1 go
 * into the environment of the process. */
int bundle_add_listen_fds(struct request *q, struct spec_process *p, struct err *e);
