/* engine_call(): one call of a task's shim. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_parts.h"
#include "fd.h"
#include "str.h"

enum { CALL_MS = 120000 };

struct calling {
	struct engine_progress p; /* first */
	struct task *task; /* with a reference */
	bool properties; /* are wanted, of what a State says */
	const struct method *tells; /* how the task is, in its answer; NULL: nothing about that */
};

static void take_state(struct task *t, const struct ttrpc_answer *a)
{
	Containerd__Task__V2__StateResponse *m =
		containerd__task__v2__state_response__unpack(NULL, a->len, a->payload);

	if (!m)
		return;
	if (task_status_of(m) == ENGINE_STOPPED)
		task_set_stopped(t, m->pid, m->exit_status, m->exited_at);
	containerd__task__v2__state_response__free_unpacked(m, NULL);
}

static void take_end(struct task *t, const struct ttrpc_answer *a)
{
	Containerd__Task__V2__WaitResponse *m = containerd__task__v2__wait_response__unpack(NULL, a->len, a->payload);

	if (!m)
		return;
	task_set_stopped(t, t->t.now.pid, m->exit_status, m->exited_at);
	containerd__task__v2__wait_response__free_unpacked(m, NULL);
}

/* Those that the engine makes itself; without end, those that wait; and those whose answer
 * tells how the task is, and may come before the event that says the same. (But not before
 * one of an earlier answer: events are asked for in between.) */
static const struct method {
	const char *name;
	bool refused, endless;
	enum engine_status from, to;
	void (*take)(struct task *t, const struct ttrpc_answer *a);
} methods[] = {
	{ .name = "Create", .refused = true },
	{ .name = "Shutdown", .refused = true },
	{ .name = "Wait", .endless = true, .take = take_end },
	{ .name = "Events", .endless = true },
	{ .name = "Start", .from = ENGINE_CREATED, .to = ENGINE_RUNNING },
	{ .name = "Pause", .from = ENGINE_RUNNING, .to = ENGINE_PAUSED },
	{ .name = "Resume", .from = ENGINE_PAUSED, .to = ENGINE_RUNNING },
	{ .name = "State", .take = take_state },
};

static const struct method *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(methods[i].name, name))
			return &methods[i];
	return NULL;
}

static int check(const char *name, const ProtobufCMessage *m, const struct method *known, struct err *e)
{
	const Containerd__Task__V2__DeleteRequest *d = (const void *)m;

	if ((known && known->refused) ||
	    (m->descriptor == &containerd__task__v2__delete_request__descriptor && str_empty(d->exec_id)))
		return err_set(e, ERR_INVALID, 0, "%s: is not called, but done by the engine", name);
	return 0;
}

/* And not about an exec. */
static bool is_about_task(const ProtobufCMessage *m)
{
	const ProtobufCFieldDescriptor *exec =
		protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "exec_id");

	return !exec || str_empty(*(const char *const *)((const char *)m + exec->offset));
}

static void take_answer(struct task *t, const struct method *m, const struct ttrpc_answer *a)
{
	if (t->t.now.status == ENGINE_STOPPED || t->t.now.status == ENGINE_GONE)
		return;
	if (m->take)
		m->take(t, a);
	else if (t->t.now.status == m->from)
		t->t.now.status = m->to;
}

/* Its answer may still come, and is then thrown away. */
static void stop(struct engine_progress *p, int r, const struct err *e)
{
	operation_end(p, r, e);
}

static void on_answer(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct calling *c = ctx;
	struct engine_op *op = c->p.op;
	struct task *t = c->task;
	uint8_t *properties = NULL;
	struct err why;
	size_t len = 0;

	if (r >= 0 && c->tells)
		take_answer(t, c->tells, a);
	if (r >= 0 && c->properties) {
		properties = foreign_properties(t, a->payload, a->len, &len);
		r = properties ? 0 : err_sys(&why, -EPROTO, "task %s: read its state", t->t.id);
		e = &why;
	}
	if (op && r >= 0) {
		op->task = &t->t;
		op->payload = properties ? properties : a->payload;
		op->len = properties ? len : a->len;
		for (size_t i = 0; i < a->n_fds && i < ARRAY_SIZE(op->fds); i++)
			op->fds[i] = take_fd(&a->fds[i]);
	}
	operation_end(&c->p, r, e);
	free(properties);
	free(c);
	link_unuse(t);
	task_unref(t);
}

int engine_call(struct engine_task *t, struct engine_op *op, const char *method, const ProtobufCMessage *m,
		struct err *e)
{
	Containerd__Task__V2__StateRequest state = CONTAINERD__TASK__V2__STATE_REQUEST__INIT;
	const struct method *known = find(method);
	struct task *task = task_of(t);
	bool properties = task->foreign && !strcmp(method, "Properties");
	struct calling *c;
	uint32_t ms;
	int r = check(method, m, known, e);

	if (r < 0)
		return r;
	if (properties) {
		state.id = t->id;
		method = "State";
		m = &state.base;
	}
	if (task->foreign && !strcmp(m->descriptor->package_name, "berth.shim.v1"))
		return err_set(e, ERR_UNSUPPORTED, 0, "task %s: %s: its shim is not ours", t->id, method);
	if (t->now.status == ENGINE_GONE || task->ending)
		return err_set(e, ERR_LOST, -EPIPE, "task %s: its shim has ended", t->id);
	c = calloc(1, sizeof *c);
	if (!c)
		return err_sys(e, -ENOMEM, "%s: task %s", method, t->id);
	r = link_open(task, e);
	if (r == -ENOENT || r == -ECONNREFUSED)
		r = err_set(e, ERR_LOST, r, "task %s: there is no shim", t->id);
	if (r < 0) {
		free(c);
		return r;
	}
	link_use(task);
	c->task = task_ref(task);
	c->properties = properties;
	if (known && (known->to || known->take) && is_about_task(m))
		c->tells = known;
	ms = op->timeout_ms ? op->timeout_ms : known && known->endless ? 0 : CALL_MS;
	operation_begin(t->engine, op, &c->p, 0, stop);
	source_remove(&c->p.deadline); /* the call has the same, there and here */
	operation_phase(&c->p, "wait for the shim's answer");
	r = link_call(task, method, m, ms, on_answer, c, e);
	if (r >= 0)
		return 0;
	operation_drop(&c->p);
	link_unuse(task);
	task_unref(task);
	free(c);
	return r;
}
