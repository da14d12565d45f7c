/*
 * What a handle leads to. Its value is no address: a place in a table, the kind
 * of object, and how often the place was used before, so that one which was
 * closed is never valid again. A place whose count is used up is not used again.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum obj_kind { OBJ_SYSTEM = 1, OBJ_PROCESS, OBJ_OPERATION };

/* The first member of each. One reference is the open handle's. */
struct obj {
	enum obj_kind kind;
	unsigned refs;
	void *handle;
	bool closed;
	bool busy; /* its callback is on the stack of `busy_by` */
	pthread_t busy_by;
	void (*release)(struct obj *o);
};

struct handle_slot;

struct handles {
	struct handle_slot *slots;
	uint32_t n, free; /* free: 1 + a place; 0: none */
	unsigned open[OBJ_OPERATION + 1]; /* by kind */
};

/* Gives `o` a handle and its first reference; -ENOMEM. */
int handle_open(struct handles *t, struct obj *o, enum obj_kind kind, void (*release)(struct obj *o));
/* NULL: closed, of another kind, or never a handle. */
void *handle_find(const struct handles *t, const void *handle, enum obj_kind kind);
/* The handle is gone; its reference stays the caller's. */
void handle_close(struct handles *t, struct obj *o);

void *obj_ref(void *o);
void obj_unref(void *o);
