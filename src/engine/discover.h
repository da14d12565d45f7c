/*
 * Which tasks there are in a state directory, whoever makes them: first those that
 * are there, then each that comes, by inotify.
 *
 *	STATE		a new namespace
 *	STATE/NS	a new bundle
 */
#pragma once

#include <sys/types.h>

#include "loop.h"

struct err;
struct discover_namespace;

struct discover {
	/* `is_new`: it came while we watched; its shim may not be there yet. */
	void (*found)(void *ctx, const char *namespace, const char *id, bool is_new);
	void *ctx;

	/* inside: */
	char *state;
	dev_t dev; /* the directory's that is watched */
	ino_t ino;
	int fd, wd;
	struct source src;
	struct discover_namespace *namespaces;
	bool is_new;
};

/* The callback is set before; it is called from here, too. */
int discover_begin(struct discover *d, struct loop *l, const char *state, struct err *e);
/* Whether the state directory still is the one that is watched: somebody may have removed
 * it, or made or mounted another in its place, where nothing would be found. */
int discover_check(const struct discover *d, struct err *e);
void discover_end(struct discover *d);
