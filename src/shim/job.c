/* Operations in flight; see job.h. */
#include "job.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "clock.h"
#include "err.h"
#include "fd.h"
#include "hold.h"
#include "mem.h"
#include "order.h"

/* A hook may take its time; what core waits for has deadlines of its own. */
enum { JOB_MS = 10 * 60 * 1000, LET_GO_MS = 120 * 1000 };

struct order job_order(const struct task *t)
{
	return (struct order){
		.runtime = &t->runtime,
		.facts = &t->shim->facts,
		.namespace = t->shim->namespace,
		.id = t->id,
		.bundle = t->bundle,
		.cgroup = t->cgroup,
	};
}

int job_may_begin(const struct shim *s, struct err *e)
{
	return s->n_jobs < JOBS_MAX ? 0 : err_set(e, ERR_BUSY, 0, "%u operations are in progress", s->n_jobs);
}

int job_may_begin_now(const struct shim *s, struct err *e)
{
	int r = job_may_begin(s, e);

	if (r >= 0 && s->binary && s->reaper->n_helpers >= HELPERS_MAX)
		r = err_set(e, ERR_BUSY, 0, "%u operations on tasks without a shim are in progress",
			    s->reaper->n_helpers);
	return r;
}

struct job *job_new(struct task *t, struct process *p, struct ttrpc_call *call,
		    void (*done)(struct job *j, int r, struct helper_result *ret, struct err *e))
{
	struct err e;
	bool may = !call || job_may_begin(t->shim, &e) >= 0;
	struct job *j = may ? calloc(1, sizeof *j) : NULL;

	if (!j) {
		if (may)
			err_sys(&e, -ENOMEM, "begin an operation");
		if (call)
			ttrpc_fail(call, &e);
		return NULL;
	}
	j->task = t;
	j->process = p;
	j->call = call;
	j->done = done;
	j->order = job_order(t);
	j->helper.pidfd = j->helper.socket = -1;
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

/* ---- turns ------------------------------------------------------------------ */

static int on_turn(struct source *s, uint32_t events);

static void wait_for_turn(struct job *j, const struct helper_job *todo)
{
	struct job **at = &j->task->shim->reaper->waiting;

	while (*at)
		at = &(*at)->next_turn;
	*at = j;
	j->waits = true;
	j->todo = *todo;
}

static void free_order(struct job *j)
{
	free((void *)(uintptr_t)j->todo.order);
	j->todo.order = NULL;
}

static void end_waiting(struct job *j)
{
	struct job **at = &j->task->shim->reaper->waiting;

	while (*at != j)
		at = &(*at)->next_turn;
	*at = j->next_turn;
	j->waits = false;
	free_order(j);
}

/* ---- its beginning and end -------------------------------------------------- */

static void leave(struct job *j)
{
	struct task *t = j->task;
	struct reaper *rp = t->shim->reaper;

	if (j->waits)
		end_waiting(j);
	rp->n_helpers -= j->executed;
	if (rp->waiting && !rp->turn.loop)
		source_timer(&rp->turn, rp->loop, 0, on_turn);

	*j->link = j->next;
	if (j->next)
		j->next->link = j->link;
	t->n_jobs--;
	t->shim->n_jobs--;
	if (j->process)
		j->process->busy = false;
}

void job_drop(struct job *j)
{
	struct err e;

	leave(j);
	helper_end(&j->helper);
	err_set(&e, ERR_LOST, 0, "the service ends");
	if (j->call)
		ttrpc_fail(j->call, &e);
	if (j->drop)
		j->drop(j, &e);
	free(j);
}

static void finish(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	struct task *t = j->task;
	struct shim *s = t->shim;

	leave(j);
	j->done(j, r, ret, e);
	free(j);
	let_go(s, t);
	holding_settle(s, t);
	reaper_look(s->reaper);
}

static void on_done(struct helper *h, int r, struct helper_result *ret, const struct err *e)
{
	struct err own = *e;

	finish((struct job *)h, r, ret, &own);
}

static int start(struct job *j, const struct helper_job *todo, struct err *e)
{
	struct shim *s = j->task->shim;
	int r = helper_start(&j->helper, s->loop, todo, on_done, NULL, e);

	j->executed = r >= 0 && todo->execute;
	s->reaper->n_helpers += j->executed;
	return r;
}

static int on_turn(struct source *s, uint32_t events)
{
	struct reaper *rp = (struct reaper *)((char *)s - offsetof(struct reaper, turn));
	struct helper_result none = HELPER_RESULT;
	struct job *j;
	struct err e;
	int r;

	while ((j = rp->waiting) && rp->n_helpers < HELPERS_MAX) {
		rp->waiting = j->next_turn;
		j->waits = false;
		r = start(j, &j->todo, &e);
		free_order(j);
		if (r < 0)
			finish(j, r, &none, &e);
	}
	return 0;
}

static bool has_to_wait(const struct job *j, const struct helper_job *todo)
{
	const struct runtime_ops *ops = j->order.runtime->ops;

	return todo->execute && j->call && !todo->stdio && todo->work != ops->kill && todo->work != ops->destroy &&
	       j->task->shim->reaper->n_helpers >= HELPERS_MAX;
}

static void begin(struct job *j)
{
	struct task *t = j->task;

	t->shim->n_jobs++;
	t->n_jobs++;
	j->next = t->jobs;
	j->link = &t->jobs;
	if (j->next)
		j->next->link = &j->next;
	t->jobs = j;
	if (j->process) {
		j->process->busy = true;
		j->process->asked_us = clock_us();
	}
}

void job_start(struct job *j, int (*work)(struct helper_result *ret, void *order, struct err *e), const int *stdio)
{
	struct shim *s = j->task->shim;
	const struct runtime_ops *ops = j->order.runtime->ops;
	int verb = order_verb(ops, work);
	struct helper_job todo = {
		.name = order_verb_name(verb),
		.work = work,
		.arg = &j->order,
		.stdio = stdio,
		.deadline_ms = JOB_MS,
		.execute = s->binary,
	};
	struct helper_result none = HELPER_RESULT;
	void *order = NULL;
	struct err e;
	int r = 0;

	if (s->binary || (s->spare.pidfd >= 0 && work == builtin_ops.create))
		todo.order = order = order_pack(&j->order, verb, &todo.len);
	if (order && !s->binary)
		todo.spare = &s->spare;
	if (s->binary && !order)
		r = err_set(&e, ERR_UNSUPPORTED, 0, "of a task without a shim");
	begin(j);
	if (r >= 0 && has_to_wait(j, &todo)) {
		wait_for_turn(j, &todo);
		return;
	}
	if (r >= 0)
		r = start(j, &todo, &e);
	free(order);
	if (r < 0)
		finish(j, r, &none, &e);
}

void job_hurry(struct task *t, uint32_t ms)
{
	struct err e;

	for (struct job *j = t->jobs; j; j = j->next) {
		if (j->waits && start(j, &j->todo, &e) >= 0) /* it is in the way of an end */
			end_waiting(j);
		helper_hurry(&j->helper, ms);
	}
}

/* ---- a start without a helper ---------------------------------------------- */

static int on_let_go(struct source *s, uint32_t events)
{
	job_let_go_end((struct job *)((char *)s - offsetof(struct job, helper.end)));
	return 0;
}

static int on_late(struct source *s, uint32_t events)
{
	job_let_go_end((struct job *)((char *)s - offsetof(struct job, helper.deadline)));
	return 0;
}

void job_let_go(struct job *j)
{
	struct task *t = j->task;
	struct loop *l = t->shim->loop;
	struct helper_result none = HELPER_RESULT;
	struct err e;
	int r;

	begin(j);
	r = source_fd(&j->helper.end, l, t->start, EPOLLIN, on_let_go);
	if (r < 0)
		err_sys(&e, r, "wait for the container's process");
	else
		r = container_let_go(t->start, &e);
	if (r == -EPIPE || r == -ECONNRESET) /* its end is about to be told */
		r = life_check(LIFE_STOPPED, LIFE_START, &e);
	if (r < 0) {
		source_remove(&j->helper.end);
		finish(j, r, &none, &e);
		return;
	}
	source_timer(&j->helper.deadline, l, LET_GO_MS, on_late);
	t->let_go = j;
}

/* Once let go it cannot be started again: better stopped than half started. */
void job_let_go_end(struct job *j)
{
	struct task *t = j->task;
	struct helper_result none = HELPER_RESULT;
	struct err e;
	int r = container_let_go_end(t->start, t->id, t->init.pid, t->init.pidfd, &e);

	if (r < 0)
		process_signal(&t->init, SIGKILL, NULL);
	source_remove(&j->helper.end);
	source_remove(&j->helper.deadline);
	fd_closep(&t->start);
	t->let_go = NULL;
	finish(j, r, &none, &e);
}
