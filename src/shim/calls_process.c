/* The calls on one process: the task's first, or an exec. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "err.h"
#include "events.pb-c.h"
#include "exit_record.h"
#include "fd.h"
#include "hold.h"
#include "identifier.h"
#include "job.h"
#include "service.h"
#include "stdstreams.h"
#include "task.pb-c.h"
#include "term.h"

static void set_time(Google__Protobuf__Timestamp *t, const struct process *p)
{
	google__protobuf__timestamp__init(t);
	t->seconds = p->at.tv_sec;
	t->nanos = (int32_t)p->at.tv_nsec;
}

/* ---- State, Wait ---------------------------------------------------------- */

void call_state(struct call *c)
{
	const Containerd__Task__V2__StateRequest *q = (void *)c->m;
	Containerd__Task__V2__StateResponse m = CONTAINERD__TASK__V2__STATE_RESPONSE__INIT;
	const struct process *p = call_process(c, q->id, q->exec_id);
	Google__Protobuf__Timestamp at;

	if (!p)
		return;
	m.id = p->task->id;
	m.exec_id = p->id;
	m.bundle = p->task->bundle;
	m.pid = (uint32_t)p->pid;
	m.status = life_status(p->state);
	if (p->state == LIFE_RUNNING && p->task->init.state == LIFE_PAUSED) /* an exec is as paused as its container */
		m.status = life_status(LIFE_PAUSED);
	m.stdin = p->path[STDIN];
	m.stdout = p->path[STDOUT];
	m.stderr = p->path[STDERR];
	m.terminal = p->terminal;
	if (p->state == LIFE_STOPPED) {
		set_time(&at, p);
		m.exit_status = p->status;
		m.exited_at = &at;
	}
	ttrpc_reply(c->rpc, &m.base);
}

void call_wait(struct call *c)
{
	const Containerd__Task__V2__WaitRequest *q = (void *)c->m;
	struct process *p = call_process(c, q->id, q->exec_id);

	if (p)
		process_wait(p, c->rpc);
}

/* ---- Exec, Start ---------------------------------------------------------- */

static int prepare(struct task *t, const Containerd__Task__V2__ExecProcessRequest *q, struct err *e)
{
	struct process *p;
	int r;

	if (!*q->exec_id)
		return err_set(e, ERR_INVALID, 0, "exec id cannot be empty");
	r = identifier_check(q->exec_id, e);
	if (r >= 0 && process_find(t, q->exec_id, NULL))
		r = err_set(e, ERR_EXISTS, 0, "id %s", q->exec_id);
	if (r >= 0)
		r = life_check(t->init.state, LIFE_EXEC, e);
	if (r >= 0 && (!q->spec || !q->spec->value.len))
		r = err_set(e, ERR_INVALID, 0, "spec: missing");
	if (r < 0)
		return r;
	p = exec_new(t, q->exec_id);
	if (!p)
		return err_sys(e, -ENOMEM, "exec");
	r = stdstreams_set(p, q->stdin, q->stdout, q->stderr, q->terminal, e);
	p->document = r >= 0 ? malloc(q->spec->value.len) : NULL;
	if (r >= 0 && !p->document)
		r = err_sys(e, -ENOMEM, "exec");
	if (r < 0) {
		exec_free(p);
		return r;
	}
	clock_gettime(CLOCK_REALTIME, &p->created);
	memcpy(p->document, q->spec->value.data, q->spec->value.len);
	p->document_len = q->spec->value.len;
	return 0;
}

void call_exec(struct call *c)
{
	const Containerd__Task__V2__ExecProcessRequest *q = (void *)c->m;
	Containerd__Events__TaskExecAdded m = CONTAINERD__EVENTS__TASK_EXEC_ADDED__INIT;
	struct task *t = call_task(c, q->id);
	struct err e;

	if (!t)
		return;
	if (prepare(t, q, &e) < 0) {
		call_fail(c, &e);
		return;
	}
	m.container_id = t->id;
	m.exec_id = q->exec_id;
	events_publish(&c->shim->events, "/tasks/exec-added", &m.base);
	call_empty(c->rpc);
}

static void answer_start(struct job *j, struct process *p)
{
	Containerd__Task__V2__StartResponse m = CONTAINERD__TASK__V2__START_RESPONSE__INIT;

	p->start_us = (uint64_t)(clock_us() - p->asked_us);
	clock_gettime(CLOCK_REALTIME, &p->started);
	m.pid = (uint32_t)p->pid;
	ttrpc_reply(j->call, &m.base);
}

static void on_started(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	Containerd__Events__TaskStart m = CONTAINERD__EVENTS__TASK_START__INIT;
	struct task *t = j->task;

	if (r < 0) {
		runtime_failed(e, "start");
		ttrpc_fail(j->call, e);
	} else {
		t->init.state = LIFE_RUNNING;
		m.container_id = t->id;
		m.pid = (uint32_t)t->init.pid;
		events_publish(&t->shim->events, "/tasks/start", &m.base);
		answer_start(j, &t->init);
	}
	process_settle(&t->init);
}

/* What never ran has ended nevertheless: clients wait for that. One that runs, but whose
 * end would not be seen, is the reaper's. */
static void exec_failed(struct process *p)
{
	if (p->pidfd >= 0) {
		process_signal(p, SIGKILL, NULL);
		fd_closep(&p->pidfd);
		p->pid = 0;
	}
	clock_gettime(CLOCK_REALTIME, &p->at);
	p->status = 255;
	p->ended = true;
}

static void on_executed(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	Containerd__Events__TaskExecStarted m = CONTAINERD__EVENTS__TASK_EXEC_STARTED__INIT;
	struct process *p = j->process;

	free(p->document);
	p->document = NULL;
	if (r >= 0) {
		r = process_watch(p, ret->pid, take_fd(&ret->pidfd));
		if (r < 0)
			err_sys(e, r, "watch the process");
	}
	if (r >= 0)
		r = stdstreams_attach(p, take_fd(&ret->fd), take_fd(&ret->out), e);
	if (r < 0) {
		runtime_failed(e, "exec");
		if (p->exit.loop)
			process_signal(p, SIGKILL, NULL);
		else
			exec_failed(p);
		ttrpc_fail(j->call, e);
	} else {
		p->state = LIFE_RUNNING;
		m.container_id = p->task->id;
		m.exec_id = p->id;
		m.pid = (uint32_t)p->pid;
		events_publish(&p->shim->events, "/tasks/exec-started", &m.base);
		answer_start(j, p);
	}
	process_settle(p);
}

static void start_exec(struct call *c, struct process *p)
{
	struct task *t = p->task;
	struct stdfds fds = STDFDS_INIT;
	struct job *j;
	struct err e;
	int r = life_check(t->init.state, LIFE_EXEC, &e);

	if (r >= 0)
		r = job_may_begin_now(t->shim, &e);
	if (r >= 0)
		r = stdstreams_open(p, &fds, &e);
	if (r < 0) {
		call_fail(c, &e);
	}
	j = r < 0 ? NULL : job_new(t, p, c->rpc, on_executed);
	if (!j) {
		stdstreams_stop(p); /* it may be tried again */
	} else {
		j->order.exec_id = p->id;
		j->order.document = p->document;
		j->order.document_len = p->document_len;
		j->order.terminal = p->terminal;
		j->order.logger = fds.logger;
		job_start(j, t->runtime.ops->exec, fds.fd);
	}
	stdfds_close(&fds);
}

void call_start(struct call *c)
{
	const Containerd__Task__V2__StartRequest *q = (void *)c->m;
	struct process *p = call_process(c, q->id, q->exec_id);
	struct job *j;
	struct err e;
	int r;

	if (!p)
		return;
	r = life_check(p->state, LIFE_START, &e);
	if (r >= 0 && p->busy)
		r = err_set(&e, ERR_STATE, 0, "another operation on the process is in progress");
	if (r < 0) {
		call_fail(c, &e);
		return;
	}
	if (*p->id) {
		start_exec(c, p);
		return;
	}
	j = job_new(p->task, p, c->rpc, on_started);
	if (j && p->task->start >= 0)
		job_let_go(j);
	else if (j)
		job_start(j, p->task->runtime.ops->start, NULL);
}

/* ---- Kill ----------------------------------------------------------------- */

/* What a Kill is for: one process, or all that there are. */
static void note(struct process *p, uint32_t sig, bool all)
{
	process_asked(p, sig, all);
	for (struct process *x = all ? p->task->execs : NULL; x; x = x->next)
		if (x->pidfd >= 0)
			process_asked(x, sig, true);
}

static void on_signalled(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	if (r < 0 && j->order.sig)
		note(&j->task->init, 0, j->order.all);
	/* It ended between the look at its state and the signal. */
	if (r < 0 && e->kind == ERR_STATE)
		r = err_set(e, ERR_NOT_FOUND, 0, "process already finished");
	call_end(j->call, r, e);
}

/* What is frozen is signalled in its cgroup, by the runtime. */
static bool needs_runtime(const struct process *p, bool all)
{
	return !*p->id && (all || p->state == LIFE_PAUSED);
}

/* Whether all were killed by the end of the first, which has a pid namespace, without a helper. */
static bool killed_at_once(const struct process *p, const Containerd__Task__V2__KillRequest *q)
{
	const struct task *t = p->task;
	struct order o = job_order(t);

	return t->runtime.ops->end && q->all && q->signal == SIGKILL && !*p->id && p->pidfd >= 0 &&
	       p->state != LIFE_PAUSED && !t->shared_pids && !t->n_jobs && t->runtime.ops->end(&o, p->pidfd) >= 0;
}

void call_kill(struct call *c)
{
	const Containerd__Task__V2__KillRequest *q = (void *)c->m;
	struct process *p = call_process(c, q->id, q->exec_id);
	struct job *j;
	struct err e;
	int r;

	if (!p)
		return;
	r = life_check(p->ended ? LIFE_STOPPED : p->state, LIFE_KILL, &e);
	if (r >= 0 && !p->pid)
		r = err_set(&e, ERR_STATE, 0, "process not created");
	if (r >= 0 && q->signal > (uint32_t)SIGRTMAX)
		r = err_set(&e, ERR_INVALID, 0, "signal: %u", q->signal);
	if (r >= 0 && killed_at_once(p, q)) {
		note(p, q->signal, true);
		call_end(c->rpc, 0, NULL);
		return;
	}
	if (r >= 0 && needs_runtime(p, q->all)) {
		j = job_new(p->task, NULL, c->rpc, on_signalled);
		if (!j)
			return;
		j->order.sig = (int)q->signal;
		j->order.all = q->all;
		if (q->signal) /* now: their ends may be told before the helper's */
			note(p, q->signal, q->all);
		job_start(j, p->task->runtime.ops->kill, NULL);
		return;
	}
	if (r >= 0)
		r = process_signal(p, (int)q->signal, &e);
	if (r >= 0 && q->signal)
		note(p, q->signal, false);
	call_end(c->rpc, r, &e);
}

/* ---- ResizePty, CloseIO --------------------------------------------------- */

void call_resize_pty(struct call *c)
{
	const Containerd__Task__V2__ResizePtyRequest *q = (void *)c->m;
	struct process *p = call_process(c, q->id, q->exec_id);
	struct err e;
	int r;

	if (!p)
		return;
	r = life_check(p->state, LIFE_RESIZE, &e);
	if (r >= 0 && (q->width > UINT16_MAX || q->height > UINT16_MAX))
		r = err_set(&e, ERR_INVALID, 0, "a terminal of %u columns and %u lines", q->width, q->height);
	if (r >= 0 && p->master >= 0) {
		r = term_set_size(p->master, (uint16_t)q->height, (uint16_t)q->width);
		if (r < 0)
			err_sys(&e, r, "resize the terminal");
	}
	call_end(c->rpc, r, &e);
}

void call_close_io(struct call *c)
{
	const Containerd__Task__V2__CloseIORequest *q = (void *)c->m;
	struct process *p = call_process(c, q->id, q->exec_id);

	if (!p)
		return;
	if (q->stdin)
		stdstreams_close_input(p);
	call_empty(c->rpc);
}

/* ---- Delete --------------------------------------------------------------- */

/* A deletion is over when the runtime has removed the container, and the
 * client has what the process wrote: both at the same time. */
struct deletion {
	struct ttrpc_call *call; /* NULL: nobody asked, since nobody holds it */
	bool removed, drained;
};

static void answer_delete(struct ttrpc_call *call, const struct process *p)
{
	Containerd__Task__V2__DeleteResponse m = CONTAINERD__TASK__V2__DELETE_RESPONSE__INIT;
	Google__Protobuf__Timestamp at;

	m.pid = (uint32_t)p->pid;
	m.exit_status = p->status;
	if (p->state == LIFE_STOPPED) {
		set_time(&at, p);
		m.exited_at = &at;
	}
	ttrpc_reply(call, &m.base);
}

static void publish_delete(const struct process *p)
{
	Containerd__Events__TaskDelete m = CONTAINERD__EVENTS__TASK_DELETE__INIT;
	Google__Protobuf__Timestamp at;

	m.container_id = p->task->id;
	m.pid = (uint32_t)p->pid;
	m.exit_status = p->status;
	set_time(&at, p);
	m.exited_at = &at;
	events_publish(&p->shim->events, "/tasks/delete", &m.base);
}

static void advance(struct process *p)
{
	struct deletion *d = p->deletion;

	if (!d->removed || !d->drained || p->pidfd >= 0 || p->ended || (!*p->id && p->task->n_jobs))
		return;
	p->deletion = NULL;
	if (!*p->id) {
		publish_delete(p);
		if (d->call) {
			answer_delete(d->call, p);
			task_free(p->task);
		} else {
			holding_deleted(p->task);
		}
	} else {
		answer_delete(d->call, p);
		exit_record_remove(p->task->bundle, p->id);
		exec_free(p);
	}
	free(d);
}

void deletion_advance(struct process *p)
{
	if (p->deletion)
		advance(p);
}

void deletion_drop(struct process *p)
{
	struct deletion *d = p->deletion;
	struct err e;

	if (!d)
		return;
	p->deletion = NULL;
	err_set(&e, ERR_LOST, 0, "the service ends");
	if (d->call)
		ttrpc_fail(d->call, &e);
	free(d);
}

static void on_drained(struct process *p)
{
	p->deletion->drained = true;
	advance(p);
}

static void on_deleted(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	struct process *p = j->process;
	struct deletion *d = p->deletion;

	if (r < 0) {
		p->deletion = NULL;
		stdstreams_forget_drain(p);
		if (d->call)
			ttrpc_fail(d->call, e);
		else
			holding_not_deleted(p->task, e);
		free(d);
	} else {
		d->removed = true;
	}
	if (p->ended) /* one that was only created has been killed: its end is told first */
		process_settle(p);
	else
		deletion_advance(p);
}

static bool removed_at_once(const struct job *j)
{
	const struct task *t = j->task;

	return t->plain && t->init.state == LIFE_STOPPED && !t->n_jobs && t->runtime.ops->remove(&j->order) >= 0;
}

int deletion_begin(struct process *p, struct ttrpc_call *call, struct err *e)
{
	struct deletion *d = NULL;
	struct job *j = NULL;
	int r = life_check(p->state, LIFE_DELETE, e);

	if (r >= 0 && (p->busy || p->deletion))
		r = err_set(e, ERR_STATE, 0, "another operation on the process is in progress");
	if (r >= 0) {
		d = calloc(1, sizeof *d);
		j = *p->id ? NULL : job_new(p->task, p, NULL, on_deleted);
		if (!d || (!*p->id && !j))
			r = err_sys(e, -ENOMEM, "delete");
	}
	if (r < 0) {
		free(d);
		free(j);
		return r;
	}
	if (j && removed_at_once(j)) {
		free(j);
		j = NULL;
	}
	*d = (struct deletion){ .call = call, .removed = !j };
	p->deletion = d;
	p->gone = *p->id;
	if (j) /* at the same time; it cannot end before we are back in the loop */
		job_start(j, p->task->runtime.ops->destroy, NULL);
	if (p->deletion)
		stdstreams_drain(p, on_drained);
	return 0;
}

void call_delete(struct call *c)
{
	const Containerd__Task__V2__DeleteRequest *q = (void *)c->m;
	struct process *p = call_process(c, q->id, q->exec_id);
	struct err e;

	if (p && deletion_begin(p, c->rpc, &e) < 0)
		call_fail(c, &e);
}
