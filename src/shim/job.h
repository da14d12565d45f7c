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

/* More at a time are refused, but for those that nobody asked for and those that
 * end something. */
enum { JOBS_MAX = 256 };
/* So many helpers are executed at a time for all that a daemon hosts. What comes then waits for
 * its turn; but what has streams is refused, and what ends something begins. */
enum { HELPERS_MAX = 256 };

struct job {
	struct helper helper; /* job_let_go(): only its sources */
	struct task *task;
	struct job *next, **link; /* in flight */
	struct process *process; /* whose `busy` it holds; NULL: nobody's */
	struct ttrpc_call *call; /* to be answered by `done`; NULL: nobody asked */
	struct order order;
	struct helper_job todo; /* while it waits for its turn; `order` is the job's then */
	struct job *next_turn;
	bool waits, executed;
	void *extra; /* the caller's */
	/* The job is freed after it, and the task may be. */
	void (*done)(struct job *j, int r, struct helper_result *ret, struct err *e);
	void (*drop)(struct job *j, const struct err *e); /* instead: `extra` goes; NULL: nothing of it is ours */
};

/* What every operation on the task is told. */
struct order job_order(const struct task *t);
/* 0: one more may begin; or, with streams, begin now. */
int job_may_begin(const struct shim *s, struct err *e);
int job_may_begin_now(const struct shim *s, struct err *e);
/* NULL: out of memory, or for a call too many; and the call has been told. */
struct job *job_new(struct task *t, struct process *p, struct ttrpc_call *call,
		    void (*done)(struct job *j, int r, struct helper_result *ret, struct err *e));
/* Ends without `done`. */
void job_drop(struct job *j);
/* What hangs in a container that has ended keeps its end from being told: a
 * daemon gives up after ten seconds. */
enum { HURRY_MS = 5 * 1000 };
/* Nobody waits longer than this for what is in flight. */
void job_hurry(struct task *t, uint32_t ms);
/* `stdio` as in struct helper_job. What cannot be started is done with an error. */
void job_start(struct job *j, int (*work)(struct helper_result *ret, void *order, struct err *e), const int *stdio);
/* Instead, where there is t->start: lets the task's process go, without a helper. */
void job_let_go(struct job *j);
/* It has ended: what has become of that can be asked only before it is reaped. */
void job_let_go_end(struct job *j);
