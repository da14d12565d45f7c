/*
 * berthd, where one uses the state directory: what it is at and waits for. Each has a
 * socket STATE/.daemons/PID that answers "GET /operations" (docs/berthd.md).
 */
#pragma once

#include <sys/types.h>

#include "procfs.h"

struct daemon_seen {
	pid_t pid;
	struct proc_list threads; /* before it was asked */
	const struct json *doc; /* NULL: it does not answer */
};

struct daemons {
	struct daemon_seen *v;
	size_t n;
};

/* Those that live; all of it is the arena's. One that is busy has a second. */
int daemons_look(struct request *q, const char *state, struct daemons *ret, struct err *e);
