/* A process of a task: its end, and whoever waits for that. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "err.h"
#include "events.pb-c.h"
#include "exit_record.h"
#include "fd.h"
#include "hold.h"
#include "job.h"
#include "log.h"
#include "proc.h"
#include "shim.h"
#include "stdstreams.h"
#include "task.pb-c.h"

/* ---- those who wait ------------------------------------------------------- */

struct waiter {
	struct waiter *next, **link;
	struct ttrpc_call *call;
};

static void waiter_free(struct waiter *w)
{
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	free(w);
}

/* The call of the first one, which waits no more. */
static struct ttrpc_call *take_waiter(struct process *p)
{
	struct waiter *w = p->waiters;
	struct ttrpc_call *call = w->call;

	p->waiters = w->next;
	if (p->waiters)
		p->waiters->link = &p->waiters;
	free(w);
	call->gone = NULL;
	return call;
}

static void on_gone(struct ttrpc_call *c)
{
	waiter_free(c->ctx);
}

static void answer_wait(const struct process *p, struct ttrpc_call *call)
{
	Containerd__Task__V2__WaitResponse m = CONTAINERD__TASK__V2__WAIT_RESPONSE__INIT;
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	at.seconds = p->at.tv_sec;
	at.nanos = (int32_t)p->at.tv_nsec;
	m.exit_status = p->status;
	m.exited_at = &at;
	call->gone = NULL;
	ttrpc_reply(call, &m.base);
}

void process_wait(struct process *p, struct ttrpc_call *call)
{
	struct waiter *w;
	struct err e;

	if (p->state == LIFE_STOPPED) {
		answer_wait(p, call);
		return;
	}
	w = calloc(1, sizeof *w);
	if (!w) {
		err_sys(&e, -ENOMEM, "wait");
		ttrpc_fail(call, &e);
		return;
	}
	w->call = call;
	w->next = p->waiters;
	if (w->next)
		w->next->link = &w->next;
	w->link = &p->waiters;
	p->waiters = w;
	call->ctx = w;
	call->gone = on_gone;
}

static void answer_waiters(struct process *p)
{
	while (p->waiters)
		answer_wait(p, take_waiter(p));
}

/* ---- the end -------------------------------------------------------------- */

static void publish_exit(struct process *p)
{
	Containerd__Events__TaskExit m = CONTAINERD__EVENTS__TASK_EXIT__INIT;
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	at.seconds = p->at.tv_sec;
	at.nanos = (int32_t)p->at.tv_nsec;
	m.container_id = p->task->id;
	m.id = *p->id ? p->id : p->task->id;
	m.pid = (uint32_t)p->pid;
	m.exit_status = p->status;
	m.exited_at = &at;
	events_publish(&p->shim->events, "/tasks/exit", &m.base);
}

static void commit(struct process *p)
{
	struct exit_record rec = {
		.id = p->task->id,
		.exec_id = p->id,
		.pid = p->pid,
		.status = p->status,
		.at = p->at,
		.oom_kills = p->oom_kills,
		.signal = p->signal,
		.core_dumped = p->core_dumped,
		.kill_signal = p->kill_signal,
		.kill_all = p->kill_all,
	};
	struct err e;
	char text[1200];

	if (exit_record_write(p->task->bundle, &rec, &e) < 0)
		log_line(LOG_LEVEL_ERROR, err_text(&e, text, sizeof text));
	p->state = LIFE_STOPPED;
	p->ended = false;
	if (p->pid) /* else it never ran: those who wait are told, and the caller of Start was */
		publish_exit(p);
	answer_waiters(p);
}

static void on_killed(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	char text[1200];

	if (r < 0 && e->kind != ERR_NOT_FOUND && e->kind != ERR_STATE)
		log_printf(LOG_LEVEL_WARNING, "task %s: what is left of it cannot be killed: %s", j->task->id,
			   err_text(e, text, sizeof text));
	j->task->shared_pids = false;
	process_settle(&j->task->init);
}

/* Without a pid namespace to end with it, the others are killed: the end of the
 * first process is the last to be told. */
static bool others_are_gone(struct task *t)
{
	struct job *j;

	if (t->shared_pids) {
		j = job_new(t, &t->init, NULL, on_killed);
		if (j) {
			j->order.all = true;
			j->order.sig = SIGKILL;
			job_start(j, t->runtime.ops->kill, NULL);
			return false;
		}
	}
	return !task_has_live_execs(t);
}

void process_settle(struct process *p)
{
	struct task *t = p->task;
	struct shim *s = p->shim;

	if (p->busy || !p->ended)
		return;
	if (p == &t->init) {
		if (!others_are_gone(t) || p->busy || !p->ended)
			return;
		task_look_for_oom(t);
	} else if (p->signal == SIGKILL) {
		task_look_for_oom(t);
	}
	p->oom_kills = t->oom_kills;
	commit(p);
	if (p != &t->init) {
		process_settle(&t->init);
		return;
	}
	deletion_advance(p);
	holding_settle(s, t);
}

static int on_end(struct source *s, uint32_t events)
{
	struct process *p = (struct process *)((char *)s - offsetof(struct process, exit));
	struct proc_end end;
	int r;

	source_remove(s);
	if (p == &p->task->init && p->task->let_go)
		job_let_go_end(p->task->let_go);
	clock_gettime(CLOCK_REALTIME, &p->at);
	r = proc_reap_end(p->pidfd, &end);
	if (r < 0)
		log_printf(LOG_LEVEL_ERROR, "task %s: the status of process %d is lost: %s", p->task->id, (int)p->pid,
			   err_cause(-r));
	p->status = r < 0 ? 255 : (uint32_t)r;
	p->signal = (uint32_t)end.signal;
	p->core_dumped = end.core_dumped;
	fd_closep(&p->pidfd);
	p->ended = true;
	task_tell_init(p->task);
	reaper_look(p->shim->reaper); /* which may have stopped at this one */
	stdstreams_end_input(p);
	if (p == &p->task->init)
		job_hurry(p->task, HURRY_MS);
	process_settle(p);
	return 0;
}

int process_watch(struct process *p, pid_t pid, int pidfd)
{
	p->pid = pid;
	p->pidfd = pidfd;
	return source_fd(&p->exit, p->shim->loop, pidfd, EPOLLIN, on_end);
}

int process_signal(struct process *p, int sig, struct err *e)
{
	int r = p->pidfd < 0 ? -ESRCH : proc_signal(p->pidfd, sig);

	if (r == -ESRCH)
		return err_set(e, ERR_NOT_FOUND, 0, "process already finished");
	return r < 0 ? err_sys(e, r, "signal process %d", (int)p->pid) : 0;
}

void process_asked(struct process *p, uint32_t sig, bool all)
{
	p->kill_signal = sig;
	p->kill_all = sig && all;
	clock_gettime(CLOCK_REALTIME, &p->killed);
}

void process_free_members(struct process *p)
{
	struct err e;

	source_remove(&p->exit);
	fd_closep(&p->pidfd);
	while (p->waiters) {
		err_set(&e, ERR_NOT_FOUND, 0, "process was never started");
		ttrpc_fail(take_waiter(p), &e);
	}
	stdstreams_close(p);
	free(p->document);
	free(p->id);
}
