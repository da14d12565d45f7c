/* Requests to methods; see service.h. */
#include "service.h"

#include <string.h>

#include "err.h"
#include "str.h"
#include "task.pb-c.h"

static const struct method {
	const char *name;
	const ProtobufCMessageDescriptor *request;
	void (*call)(struct call *c);
} methods[] = {
#define X(name, function, request) { #name, &containerd__task__v2__##request##__descriptor, call_##function },
	SERVICE_METHODS(X)
#undef X
};

void call_fail(struct call *c, const struct err *e)
{
	ttrpc_fail(c->rpc, e);
}

void call_empty(struct ttrpc_call *rpc)
{
	Google__Protobuf__Empty m = GOOGLE__PROTOBUF__EMPTY__INIT;

	if (rpc)
		ttrpc_reply(rpc, &m.base);
}

struct task *call_task(struct call *c, const char *id)
{
	struct task *t = task_find(c->shim, id);
	struct err e;

	if (!t) {
		err_set(&e, ERR_NOT_FOUND, 0, "task %s", id);
		call_fail(c, &e);
	}
	return t;
}

struct process *call_process(struct call *c, const char *id, const char *exec_id)
{
	struct task *t = call_task(c, id);
	struct process *p;
	struct err e;

	if (!t)
		return NULL;
	p = process_find(t, exec_id, &e);
	if (!p)
		call_fail(c, &e);
	return p;
}

static const struct method *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(methods[i].name, name))
			return &methods[i];
	return NULL;
}

void service_request(struct ttrpc_call *rpc)
{
	const Ttrpc__Request *q = rpc->req;
	struct call c = { .shim = rpc->server->ctx, .rpc = rpc };
	bool ours = !strcmp(q->service, "containerd.task.v2.Task") || !strcmp(q->service, "containerd.task.v3.Task");
	const struct method *m = ours ? find(q->method) : NULL;
	struct err e;

	if (!m) {
		err_set(&e, ERR_UNSUPPORTED, 0, "%s %s/%s", ours ? "method" : "service", q->service, q->method);
		call_fail(&c, &e);
		return;
	}
	c.m = protobuf_c_message_unpack(m->request, NULL, q->payload.len, q->payload.data);
	if (!c.m) {
		err_set(&e, ERR_INVALID, 0, "%s: the request cannot be read", m->name);
		call_fail(&c, &e);
		return;
	}
	m->call(&c);
	if (c.m)
		protobuf_c_message_free_unpacked(c.m, NULL);
}
