/* Operations in flight; see job.h. */
#include "job.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "err.h"

/* A hook may take its time; what core waits for has deadlines of its own. */
enum { JOB_MS = 10 * 60 * 1000 };

struct job *job_new(struct task *t, struct process *p, struct ttrpc_call *call,
		    void (*done)(struct job *j, int r, struct helper_result *ret, struct err *e))
{
	struct job *j = calloc(1, sizeof *j);
	struct err e;

	if (!j) {
		err_sys(&e, -ENOMEM, "begin an operation");
		if (call)
			ttrpc_fail(call, &e);
		return NULL;
	}
	j->task = t;
	j->process = p;
	j->call = call;
	j->done = done;
	j->order = (struct order){
		.runtime = &t->runtime,
		.facts = &t->shim->facts,
		.namespace = t->shim->namespace,
		.id = t->id,
		.bundle = t->bundle,
		.cgroup = t->cgroup,
	};
	return j;
}

/* A deletion waits for the task's last job. */
static void let_go(struct shim *s, const struct task *task)
{
	struct task *t = s->tasks;

	while (t && t != task)
		t = t->next;
	if (t && !t->n_jobs)
		deletion_advance(&t->init);
}

static void finish(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	struct task *t = j->task;
	struct shim *s = t->shim;

	t->n_jobs--;
	s->n_jobs--;
	if (j->process)
		j->process->busy = false;
	j->done(j, r, ret, e);
	free(j);
	let_go(s, t);
	reaper_look(s);
}

static void on_done(struct helper *h, int r, struct helper_result *ret, const struct err *e)
{
	struct err own = *e;

	finish((struct job *)h, r, ret, &own);
}

void job_start(struct job *j, int (*work)(struct helper_result *ret, void *order, struct err *e), const int *stdio)
{
	struct shim *s = j->task->shim;
	struct helper_job todo = { .work = work, .arg = &j->order, .stdio = stdio, .deadline_ms = JOB_MS };
	struct helper_result none = HELPER_RESULT;
	struct err e;
	int r = 0;

	if (s->n_jobs >= JOBS_MAX)
		r = err_set(&e, ERR_INTERNAL, -EAGAIN, "too many operations at a time");
	s->n_jobs++;
	j->task->n_jobs++;
	if (j->process) {
		j->process->busy = true;
		j->process->asked_us = clock_us();
	}
	if (r >= 0)
		r = helper_start(&j->helper, &s->loop, &todo, on_done, NULL, &e);
	if (r < 0)
		finish(j, r, &none, &e);
}
