/*
 * An operation in flight: a helper works on it, a call may wait for it.
 *
 *	struct job *j = job_new(t, p, call, on_started);
 *	j->order.sig = 9;
 *	job_start(j, t->runtime.ops->start, NULL);	// on_started(j, r, ret, e) some day
 */
#pragma once

#include "helper.h"
#include "shim.h"

/* More at a time are refused. */
enum { JOBS_MAX = 256 };

struct job {
	struct helper helper;
	struct task *task;
	struct process *process; /* whose `busy` it holds; NULL: nobody's */
	struct ttrpc_call *call; /* to be answered by `done`; NULL: nobody asked */
	struct order order;
	void *extra; /* the caller's */
	/* The job is freed after it, and the task may be. */
	void (*done)(struct job *j, int r, struct helper_result *ret, struct err *e);
};

/* NULL: out of memory, and the call has been told. */
struct job *job_new(struct task *t, struct process *p, struct ttrpc_call *call,
		    void (*done)(struct job *j, int r, struct helper_result *ret, struct err *e));
/* `stdio` as in struct helper_job. What cannot be started is done with an error. */
void job_start(struct job *j, int (*work)(struct helper_result *ret, void *order, struct err *e), const int *stdio);
