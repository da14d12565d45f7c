/*
 * A listening socket of a server: whoever connects is root or our own user, or is
 * turned away, unless it is for anyone. Where descriptors or memory have run out, clients wait in the backlog,
 * and it is tried again soon; nothing spins.
 */
#pragma once

#include <stdbool.h>

#include "loop.h"

struct listener {
	struct loop *loop;
	int fd; /* -1: closed */
	bool anyone; /* set after listener_init() */
	struct source io;
	void (*connected)(struct listener *n, int fd); /* which is its from now on */
};

/* The fd is taken, also on failure; -1: nobody connects. */
int listener_init(struct listener *n, struct loop *l, int fd, void (*connected)(struct listener *n, int fd));
void listener_close(struct listener *n); /* twice is fine */
