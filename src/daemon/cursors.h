/*
 * How much of each shim's events has been told, so that the next run of the daemon
 * tells the rest: STATE/.berthd.cursors.ROOT, a table in shared memory, one row a task,
 * for each daemon its own (by its root). What is written there outlives the process
 * without a system call.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct cursors;
struct err;

enum { CURSOR_NAME = 80, CURSOR_INSTANCE = 80 };

struct cursor {
	char instance[CURSOR_INSTANCE]; /* of the shim: BOOT-PID-START; "": the row is free */
	char namespace[CURSOR_NAME], id[CURSOR_NAME];
	uint64_t number; /* of the last event that was told */
};

/* One that is damaged, or of another version, is begun anew; without room for it, it is
 * this process's alone. */
int cursors_open(struct cursors **ret, const char *state, const char *root, struct err *e);
void cursors_close(struct cursors *c);

/* Whether a run before this one has kept any. */
bool cursors_had_run(const struct cursors *c);
/* When the last event was told, then. */
struct timespec cursors_last_told(const struct cursors *c);

/* Rows are named by their index, which stays. The one of this task; -1: there is none. */
int cursor_find(const struct cursors *c, const char *namespace, const char *id, const char *instance);
/* Rows of this task, whatever their shims: as cursor_next(), which see. The one that is
 * looked at may be removed. */
int cursor_of(const struct cursors *c, const char *namespace, const char *id, int row);
/* A new one; -1: no memory. */
int cursor_add(struct cursors *c, const char *namespace, const char *id, const char *instance, uint64_t number);
void cursor_remove(struct cursors *c, int row);
/* An event has been told, just now. */
void cursor_set(struct cursors *c, int row, uint64_t number);
/* For (row = -1; (row = cursor_next(c, row)) >= 0;): those that are taken. */
int cursor_next(const struct cursors *c, int row);
const struct cursor *cursor_at(const struct cursors *c, int row);
/* The pid in an instance; 0: there is none. */
uint32_t cursor_pid(const struct cursor *r);
