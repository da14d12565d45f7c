/*
 * What the daemon keeps that the state directory does not: containers, namespaces,
 * leases. SQLite (WAL, full sync) in ROOT/meta.db; this and the store_*.c are the
 * only files that know it.
 *
 * Changes are made by one thread, several in a transaction if they come together;
 * the loop reads what is committed, and never waits for a disk:
 *
 *	c->change.run = insert;		// the thread's: only *c, the database, and e
 *	c->change.done = answer;	// the loop's: r < 0 has changed nothing
 *	store_change(s, &c->change);
 */
#pragma once

#include <stdbool.h>

#include "err.h"
#include "loop.h"

struct store;
struct store_db; /* a connection: the thread's in `run`, else store_reader() */

/* DIR exists. A database that is damaged is set aside as meta.db.damaged-TIME, which
 * is logged, and an empty one takes its place. One of a newer version is an error. */
int store_open(struct store **ret, struct loop *l, const char *dir, struct err *e);
/* What is queued is done first; `done` is called for all of it. */
void store_close(struct store *s);

struct store_change {
	int (*run)(struct store_change *c, struct store_db *db, struct err *e);
	void (*done)(struct store_change *c, int r, const struct err *e);

	struct store_change *next; /* the store's */
	int result;
	struct err err;
};

void store_change(struct store *s, struct store_change *c);

/* For what is below, in the loop's thread. */
struct store_db *store_reader(struct store *s);

/* A word that this root directory has for ever (a UUID). */
const char *store_uuid(const struct store *s);
