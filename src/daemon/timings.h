/*
 * How long each phase of a task's creation and start took: in the log, and with the
 * answer, in gRPC's trailing metadata, which clients that do not know of it pass over:
 *
 *	berth-timings: make-the-bundle;dur=0.241, start-the-shim;dur=2.108, ..., total;dur=5.730
 *
 * (milliseconds, in the form of HTTP's Server-Timing).
 */
#pragma once

#include "engine.h"

struct request;

enum { TIMINGS_MAX = 2 * ENGINE_PHASES_MAX };

struct timings {
	struct engine_phase v[TIMINGS_MAX];
	unsigned n;
};

/* The phases of an operation that has ended. */
void timings_add(struct timings *t, const struct engine_op *op);
/* Before the request is answered. `exec_id` may be empty. */
void timings_tell(const struct timings *t, struct request *q, const char *words, const char *id, const char *exec_id);
