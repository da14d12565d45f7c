/*
 * Tasks, for clients: the engine's, each with its shim, whoever made them. A call
 * finds its task first, which may take an answer of its shim, then asks the shim:
 *
 *	void serve_task_pause(struct request *q)
 *	{
 *		const PauseTaskRequest *m = (const void *)q->m;
 *
 *		task_call(q, m->container_id, pause);
 *	}
 *
 *	static void pause(struct task_call *c)	// c->task is there
 *	{
 *		...
 *		task_ask(c, "Pause", &request.base, task_empty);
 *	}
 */
#pragma once

#include "engine.h"
#include "request.h"
#include "timings.h"

struct task_call { /* of the request's arena */
	struct request *q;
	struct engine_op op;
	struct engine_task *task; /* with a reference */
	void (*go)(struct task_call *c);
	void (*answer)(struct task_call *c); /* the shim's is c->op.payload */
	struct timings timings;
};

/* `go` now or later; or the request has failed, in containerd's words. */
void task_call(struct request *q, const char *id, void (*go)(struct task_call *c));
/* `answer` later; or the request has failed. */
void task_ask(struct task_call *c, const char *method, const ProtobufCMessage *m, void (*answer)(struct task_call *c));
void task_empty(struct task_call *c); /* an answer that says nothing */
/* No call of ours is answered with descriptors: those that came all the same are closed. */
void task_drop_fds(struct engine_op *op);
void task_cannot_read(struct task_call *c); /* its answer is none of the method's type */
/* The request of a call, of the method's type. */
#define TASK_REQUEST(c, type) ((const Containerd__Services__Tasks__V1__##type *)(const void *)(c)->q->m)

/* Asks the engine, and looks for tasks that are there or that others make. */
int tasks_begin(struct daemon *d, struct err *e);
void tasks_stop_telling(struct daemon *d); /* first: clients and then the rest go after it */
void tasks_end(struct daemon *d);
/* Whether a new one would be found again: the state directory is that of the start. */
int tasks_check_state(const struct daemon *d, struct err *e);
/* Whether there may be some that we do not know yet: those that are still looked for, or
 * at, and those that could not be. */
bool tasks_look(const struct daemon *d);
/* The former. `phase` waits since `since`, or has no time of its own. */
struct task_look {
	const char *namespace, *id, *phase;
	const struct timespec *since; /* CLOCK_MONOTONIC; NULL: unknown */
};
void tasks_each_look(struct daemon *d, void (*fn)(void *ctx, const struct task_look *k), void *ctx);
