/*
 * What a shim that was killed could not tell any more: `delete` adds the exit
 * and the deletion of its task to the journal, where those who had not read all
 * find them.
 */
#pragma once

#include <stdbool.h>

#include "task.pb-c.h"

struct settings;

struct last_events {
	const char *namespace, *id;
	/* How the task ended, for all to say the same. What is not known (no pid, or
	 * `!known`) is taken from the journal where it is there. */
	Containerd__Task__V2__DeleteResponse *m;
	bool known; /* status and time are the true ones */
	bool removed; /* nothing is left of it */
	bool moved; /* a directory was, by another `delete`, while we looked: once more */
};

/* `name` is the server's. A task that the journal does not know, or whose deletion
 * it has, is passed over in silence. */
void last_events_tell(const struct settings *s, const char *name, struct last_events *l);
