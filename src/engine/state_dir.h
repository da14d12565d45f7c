/*
 * The state directory: STATE/NAMESPACE/ID/ is a task's bundle. A name with a dot
 * in front is none: `.new-...` is being filled, `.del-...` emptied, and in STATE
 * are the shims' sockets (`.s`), their journals (`.shims`) and the state of the
 * built-in runtime (`.runtime`).
 *
 * Whoever makes a bundle, deletes it, or cleans it up holds its lock, flock(2)
 * on the directory, for as long; the kernel gives it back when he is killed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;

enum { BUNDLE_NAME = 80 };

struct bundle { /* locked */
	int parent; /* the namespace's directory */
	int fd; /* the bundle's; -1: none */
	char name[BUNDLE_NAME]; /* in the parent */
};
#define BUNDLE_INIT { .parent = -1, .fd = -1 }

/* A new one, with an empty rootfs, under a name that nobody looks for. */
int bundle_make(struct bundle *b, const char *state, const char *namespace, struct err *e);
/* Gives it its name. -EEXIST: there is one. */
int bundle_claim(struct bundle *b, const char *id);
/* 0; -ENOENT; -EAGAIN: somebody else has the lock. Never waits. */
int bundle_lock(struct bundle *b, const char *state, const char *namespace, const char *id);
/* Out of sight at once, then gone. Gives the lock back in any case. */
int bundle_remove(struct bundle *b);
/* Gives the lock back, also that of a child that has inherited it. */
void bundle_unlock(struct bundle *b);

/* Removes DIR/NAME, a leftover of bundle_make() or bundle_remove(), unless
 * somebody is at it. */
void bundle_sweep(int dir, const char *name);
bool bundle_is_leftover(const char *name);

/* A word that no other bundle of this host ever had. */
enum { BUNDLE_UNIQUE = 48 };
void bundle_unique(char ret[BUNDLE_UNIQUE]);

/* ---- engine.json: docs/formats/engine.md ---------------------------------- */

#define BUNDLE_RECORD_VERSION 3 /* 2, where the shim is not ours; 1, where it is */

/* Who started a shim that is not ours, and what it was told. */
struct bundle_foreign {
	char *program; /* NULL: the shim is ours */
	char *address, *ttrpc_address;
	int32_t pid; /* of its task's first process; 0: not created yet */
};

struct bundle_record {
	char *made; /* bundle_unique(): which of all tasks that had this id */
	unsigned lifetime; /* enum engine_lifetime */
	char *record; /* the creator's text */
	struct bundle_foreign foreign;
	bool hosted; /* there is none: engine_host() */
};

int bundle_record_write(int bundle, const struct bundle_record *r, struct err *e);
/* The strings are the arena's. */
int bundle_record_read(struct arena *a, const char *bundle, struct bundle_record *ret, struct err *e);
