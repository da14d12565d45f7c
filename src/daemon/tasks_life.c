/* Calls on a task that its shim answers, in the words of one service from those of
 * the other. */
#include <string.h>

#include "identifier.h"
#include "str.h"
#include "task.pb-c.h"
#include "tasks.h"
#include "tasks.pb-c.h"

/* ---- start ----------------------------------------------------------------------- */

static void started(struct task_call *c)
{
	Containerd__Services__Tasks__V1__StartResponse m = CONTAINERD__SERVICES__TASKS__V1__START_RESPONSE__INIT;
	Containerd__Task__V2__StartResponse *a =
		containerd__task__v2__start_response__unpack(NULL, c->op.len, c->op.payload);

	if (!a) {
		task_cannot_read(c);
		return;
	}
	m.pid = a->pid;
	containerd__task__v2__start_response__free_unpacked(a, NULL);
	timings_tell(&c->timings, c->q, "process started", c->task->id, TASK_REQUEST(c, StartRequest)->exec_id);
	request_reply(c->q, &m.base);
}

static void start(struct task_call *c)
{
	Containerd__Task__V2__StartRequest m = CONTAINERD__TASK__V2__START_REQUEST__INIT;

	m.id = c->task->id;
	m.exec_id = TASK_REQUEST(c, StartRequest)->exec_id;
	task_ask(c, "Start", &m.base, started);
}

void serve_task_start(struct request *q)
{
	task_call(q, ((const Containerd__Services__Tasks__V1__StartRequest *)q->m)->container_id, start);
}

/* ---- delete ---------------------------------------------------------------------- */

static void deleted(struct task_call *c)
{
	Containerd__Services__Tasks__V1__DeleteResponse m = CONTAINERD__SERVICES__TASKS__V1__DELETE_RESPONSE__INIT;
	Containerd__Task__V2__DeleteResponse *a =
		containerd__task__v2__delete_response__unpack(NULL, c->op.len, c->op.payload);

	if (!a) {
		task_cannot_read(c);
		return;
	}
	if (c->q->m->descriptor == &containerd__services__tasks__v1__delete_process_request__descriptor)
		m.id = TASK_REQUEST(c, DeleteProcessRequest)->exec_id;
	m.pid = a->pid;
	m.exit_status = a->exit_status;
	m.exited_at = a->exited_at;
	request_reply(c->q, &m.base);
	containerd__task__v2__delete_response__free_unpacked(a, NULL);
}

static void on_deleted(struct engine_op *op, int r, const struct err *e)
{
	struct task_call *c = op->ctx;

	if (r < 0)
		request_fail(c->q, e);
	else
		deleted(c);
}

static void delete_task(struct task_call *c)
{
	struct err e;

	c->op = (struct engine_op){ .done = on_deleted, .ctx = c };
	if (engine_delete(c->task, &c->op, &e) < 0)
		request_fail(c->q, &e);
}

void serve_task_delete(struct request *q)
{
	task_call(q, ((const Containerd__Services__Tasks__V1__DeleteTaskRequest *)q->m)->container_id, delete_task);
}

static void delete_process(struct task_call *c)
{
	Containerd__Task__V2__DeleteRequest m = CONTAINERD__TASK__V2__DELETE_REQUEST__INIT;
	struct err e;

	m.id = c->task->id;
	m.exec_id = TASK_REQUEST(c, DeleteProcessRequest)->exec_id;
	if (!str_empty(m.exec_id)) {
		task_ask(c, "Delete", &m.base, deleted);
		return;
	}
	err_set(&e, ERR_INVALID, 0, "cannot delete init process with DeleteProcess");
	request_fail(c->q, &e);
}

void serve_task_delete_process(struct request *q)
{
	task_call(q, ((const Containerd__Services__Tasks__V1__DeleteProcessRequest *)q->m)->container_id,
		  delete_process);
}

/* ---- exec ------------------------------------------------------------------------ */

static void exec(struct task_call *c)
{
	const Containerd__Services__Tasks__V1__ExecProcessRequest *from = TASK_REQUEST(c, ExecProcessRequest);
	Containerd__Task__V2__ExecProcessRequest m = CONTAINERD__TASK__V2__EXEC_PROCESS_REQUEST__INIT;

	m.id = c->task->id;
	m.exec_id = from->exec_id;
	m.terminal = from->terminal;
	m.stdin = from->stdin;
	m.stdout = from->stdout;
	m.stderr = from->stderr;
	m.spec = from->spec;
	task_ask(c, "Exec", &m.base, task_empty);
}

void serve_task_exec(struct request *q)
{
	const Containerd__Services__Tasks__V1__ExecProcessRequest *m = (const void *)q->m;
	struct err e;

	if (*m->exec_id) {
		task_call(q, m->container_id, exec);
		return;
	}
	err_set(&e, ERR_INVALID, 0, "exec id cannot be empty");
	request_fail(q, &e);
}

/* ---- what answers nothing ---------------------------------------------------------- */

static void kill_task(struct task_call *c)
{
	const Containerd__Services__Tasks__V1__KillRequest *from = TASK_REQUEST(c, KillRequest);
	Containerd__Task__V2__KillRequest m = CONTAINERD__TASK__V2__KILL_REQUEST__INIT;

	m.id = c->task->id;
	m.exec_id = from->exec_id;
	m.signal = from->signal;
	m.all = from->all;
	task_ask(c, "Kill", &m.base, task_empty);
}

void serve_task_kill(struct request *q)
{
	task_call(q, ((const Containerd__Services__Tasks__V1__KillRequest *)q->m)->container_id, kill_task);
}

static void resize_pty(struct task_call *c)
{
	const Containerd__Services__Tasks__V1__ResizePtyRequest *from = TASK_REQUEST(c, ResizePtyRequest);
	Containerd__Task__V2__ResizePtyRequest m = CONTAINERD__TASK__V2__RESIZE_PTY_REQUEST__INIT;

	m.id = c->task->id;
	m.exec_id = from->exec_id;
	m.width = from->width;
	m.height = from->height;
	task_ask(c, "ResizePty", &m.base, task_empty);
}

void serve_task_resize_pty(struct request *q)
{
	task_call(q, ((const Containerd__Services__Tasks__V1__ResizePtyRequest *)q->m)->container_id, resize_pty);
}

static void close_io(struct task_call *c)
{
	const Containerd__Services__Tasks__V1__CloseIORequest *from = TASK_REQUEST(c, CloseIORequest);
	Containerd__Task__V2__CloseIORequest m = CONTAINERD__TASK__V2__CLOSE_IOREQUEST__INIT;

	m.id = c->task->id;
	m.exec_id = from->exec_id;
	m.stdin = from->stdin;
	task_ask(c, "CloseIO", &m.base, task_empty);
}

void serve_task_close_io(struct request *q)
{
	task_call(q, ((const Containerd__Services__Tasks__V1__CloseIORequest *)q->m)->container_id, close_io);
}

static void pause_task(struct task_call *c)
{
	Containerd__Task__V2__PauseRequest m = CONTAINERD__TASK__V2__PAUSE_REQUEST__INIT;

	m.id = c->task->id;
	task_ask(c, "Pause", &m.base, task_empty);
}

void serve_task_pause(struct request *q)
{
	task_call(q, ((const Containerd__Services__Tasks__V1__PauseTaskRequest *)q->m)->container_id, pause_task);
}

static void resume(struct task_call *c)
{
	Containerd__Task__V2__ResumeRequest m = CONTAINERD__TASK__V2__RESUME_REQUEST__INIT;

	m.id = c->task->id;
	task_ask(c, "Resume", &m.base, task_empty);
}

void serve_task_resume(struct request *q)
{
	task_call(q, ((const Containerd__Services__Tasks__V1__ResumeTaskRequest *)q->m)->container_id, resume);
}

static void update(struct task_call *c)
{
	const Containerd__Services__Tasks__V1__UpdateTaskRequest *from = TASK_REQUEST(c, UpdateTaskRequest);
	Containerd__Task__V2__UpdateTaskRequest m = CONTAINERD__TASK__V2__UPDATE_TASK_REQUEST__INIT;

	m.id = c->task->id;
	m.resources = from->resources;
	task_ask(c, "Update", &m.base, task_empty);
}

void serve_task_update(struct request *q)
{
	task_call(q, ((const Containerd__Services__Tasks__V1__UpdateTaskRequest *)q->m)->container_id, update);
}

void serve_task_checkpoint(struct request *q)
{
	struct err e;

	err_set(&e, ERR_UNSUPPORTED, 0, "checkpoint");
	request_fail(q, &e);
}
