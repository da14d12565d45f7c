/*
 * Looking at a bundle: is there a shim, and is the task in it? What a dead shim,
 * or a program that was killed while it made a task, has left is cleaned up.
 */
#pragma once

#include "engine_parts.h"

enum probe_result {
	PROBE_ALIVE, /* the greeting was answered; the task's state is known */
	PROBE_SILENT, /* the shim does not take connections: it is busy or hangs */
	PROBE_NONE, /* there is none (any more) */
	PROBE_BUSY, /* somebody makes it, or removes it, just now */
	PROBE_KEPT, /* its shim is dead, and the bundle could not be cleaned up */
	PROBE_FAILED, /* with an error */
};

struct probe {
	struct task *task; /* with a reference; another one when the id has been used again */
	struct waiter waiter;
	struct bundle bundle; /* locked, while what is there is looked at a second time */
	struct cleanup *cleanup;
	struct source soon;
	unsigned greet;
	unsigned tries;
	enum probe_result result;
	struct err why;
	/* From the loop, once. While the probe is there the connection stays. */
	void (*done)(struct probe *p, enum probe_result result);
};

/* `greet`: what is to be said to the shim. The task's reference is taken. */
void probe_begin(struct probe *p, struct task *t, unsigned greet,
		 void (*done)(struct probe *p, enum probe_result result));
/* After its end, or before: then `done` is not called. */
void probe_end(struct probe *p);
