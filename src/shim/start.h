/* The program's two commands that containerd calls, and how it is called. */
#pragma once

#include <stdbool.h>

struct err;

struct command_line {
	const char *namespace, *address, *publish_binary, *id, *bundle, *socket;
	bool debug, version, info;
};

/* Starts a server, unless one for the same group of containers is there, and
 * prints its address. `argv` is rewritten to look like a server's. */
int shim_start(const struct command_line *cl, char **argv, struct err *e);

/* Removes what a task whose shim is gone has left, and prints how it ended.
 * Twice is fine, and so is a task that was deleted in the normal way. */
int shim_delete(const struct command_line *cl, struct err *e);
