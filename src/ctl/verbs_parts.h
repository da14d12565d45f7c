/*
 * What run, exec and others do with a system, as the verbs of life.c do it.
 */
#pragma once

#include "ctl.h"

struct created {
	const char *id, *document;
	bool keep; /* until it is removed; else until its last handle is closed */
	int stdio[3]; /* of a command that the document brings; -1: none */
};
#define CREATED_INIT .stdio = { -1, -1, -1 }

/* Made; `*ret` is to be closed whatever comes. */
int create_system(struct request *q, const struct created *c, HCS_SYSTEM *ret, struct err *e);

/* One of the functions that have this shape, waited for. */
int call_simple(struct request *q, HCS_SYSTEM s,
		HRESULT (*call)(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options),
		const char *options, struct err *e);
/* 0 also when it had stopped; returns when it has. */
int terminate_system(struct request *q, HCS_SYSTEM s, struct err *e);
int delete_system(struct request *q, HCS_SYSTEM s, struct err *e);

/* Of an HCS_PROCESS; for drive(). */
bool process_ended(void *ctx);

/* "10", "1m30s" -> ms; NULL: FOREVER. */
int parse_timeout(struct request *q, const char *s, int64_t *ret, struct err *e);
