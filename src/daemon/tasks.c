/* Finding a call's task, and asking its shim; see tasks.h. */
#include "tasks.h"

#include <errno.h>
#include <string.h>

#include "fd.h"
#include "store.h"
#include "store_tables.h"
#include "tasks.pb-c.h"

static struct task_call *call_of(struct engine_op *op)
{
	return op->ctx;
}

static void on_end(struct request *q)
{
	struct task_call *c = q->ctx;

	if (c->task)
		engine_task_unref(c->task);
	c->task = NULL;
}

/* Nobody waits for its answer: what the shim has been told is carried out all the same. */
static void on_gone(struct request *q)
{
	engine_cancel(&((struct task_call *)q->ctx)->op);
}

/* ---- finding it --------------------------------------------------------------- */

/* As containerd says it: the container comes first. */
static void not_found(struct request *q, const char *id, int r, struct err *e)
{
	Container *container = NULL;
	struct err missing;

	if (container_get(store_reader(q->d->store), q->namespace, id, &container, &missing) < 0)
		*e = missing;
	else if (r == -ENOENT)
		err_set(e, ERR_NOT_FOUND, 0, "task %s not found", id);
	if (container)
		protobuf_c_message_free_unpacked(&container->base, NULL);
	request_fail(q, e);
}

static const char *id_of(const struct request *q)
{
	/* Every request of the service has it first. */
	return ((const Containerd__Services__Tasks__V1__GetRequest *)(const void *)q->m)->container_id;
}

static void on_opened(struct engine_op *op, int r, const struct err *e)
{
	struct task_call *c = call_of(op);
	struct err why;

	if (r == -ECANCELED) { /* by its client; or all ends, and there is no store any more */
		request_fail(c->q, e);
		return;
	}
	if (r < 0) {
		why = *e;
		not_found(c->q, id_of(c->q), e->kind == ERR_NOT_FOUND ? -ENOENT : r, &why);
		return;
	}
	timings_add(&c->timings, op);
	c->task = engine_task_ref(op->task);
	c->go(c);
}

void task_call(struct request *q, const char *id, void (*go)(struct task_call *c))
{
	struct task_call *c = arena_alloc(&q->arena, sizeof *c);
	struct engine_task *t = engine_find(q->d->engine, q->namespace, id);
	struct err e;
	int r;

	if (!c) {
		err_sys(&e, -ENOMEM, "task %s", id);
		request_fail(q, &e);
		return;
	}
	*c = (struct task_call){ .q = q, .go = go, .op = { .done = on_opened, .ctx = c } };
	q->ctx = c;
	q->op = &c->op;
	q->end = on_end;
	q->gone = on_gone;
	if (t) {
		c->task = engine_task_ref(t);
		go(c);
		return;
	}
	r = engine_open(q->d->engine, &c->op, q->namespace, id, &e);
	if (r < 0)
		not_found(q, id, e.kind == ERR_INVALID ? -ENOENT : r, &e);
}

/* ---- asking its shim ------------------------------------------------------------ */

void task_drop_fds(struct engine_op *op)
{
	for (size_t i = 0; i < ARRAY_SIZE(op->fds); i++)
		fd_closep(&op->fds[i]);
}

static void on_answer(struct engine_op *op, int r, const struct err *e)
{
	struct task_call *c = call_of(op);

	task_drop_fds(op);
	timings_add(&c->timings, op);
	if (r < 0)
		request_fail(c->q, e);
	else
		c->answer(c);
}

void task_ask(struct task_call *c, const char *method, const ProtobufCMessage *m, void (*answer)(struct task_call *c))
{
	struct err e;

	c->answer = answer;
	c->op = (struct engine_op){ .done = on_answer, .ctx = c, .timeout_ms = c->op.timeout_ms };
	if (engine_call(c->task, &c->op, method, m, &e) < 0)
		request_fail(c->q, &e);
}

void task_empty(struct task_call *c)
{
	request_empty(c->q);
}

void task_cannot_read(struct task_call *c)
{
	struct err e;

	err_sys(&e, -EPROTO, "task %s: the shim's answer", c->task->id);
	request_fail(c->q, &e);
}
