/* Requests to methods; see service.h. */
#include "service.h"

#include <string.h>

#include "berth_shim.pb-c.h"
#include "err.h"
#include "rpc_unpack.h"
#include "str.h"
#include "task.pb-c.h"

static const struct method {
	const char *name;
	const ProtobufCMessageDescriptor *request;
	void (*call)(struct call *c);
} task_methods[] = {
#define X(name, function, request) { #name, &containerd__task__v2__##request##__descriptor, call_##function },
	SERVICE_METHODS(X)
#undef X
	{ 0 },
}, private_methods[] = {
#define X(name, function, request) { #name, &berth__shim__v1__##request##__descriptor, call_##function },
	  PRIVATE_METHODS(X)
#undef X
		  { 0 },
  };

static const struct {
	const char *name;
	const struct method *methods;
} services[] = {
	{ "containerd.task.v2.Task", task_methods },
	{ "containerd.task.v3.Task", task_methods },
	{ "berth.shim.v1.Shim", private_methods },
};

void call_fail(struct call *c, const struct err *e)
{
	ttrpc_fail(c->rpc, e);
}

void runtime_failed(struct err *e, const char *operation)
{
	if (e->kind != ERR_EXEC) /* which is Unknown, too */
		e->kind = ERR_INTERNAL;
	err_wrap(e, 0, "OCI runtime %s failed", operation);
}

void call_empty(struct ttrpc_call *rpc)
{
	Google__Protobuf__Empty m = GOOGLE__PROTOBUF__EMPTY__INIT;

	if (rpc)
		ttrpc_reply(rpc, &m.base);
}

void call_end(struct ttrpc_call *rpc, int r, const struct err *e)
{
	if (r < 0)
		ttrpc_fail(rpc, e);
	else
		call_empty(rpc);
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

static const struct method *find(const char *service, const char *name, struct err *e)
{
	const char *what = "service";

	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		if (strcmp(services[i].name, service) != 0)
			continue;
		for (const struct method *m = services[i].methods; m->name; m++)
			if (!strcmp(m->name, name))
				return m;
		what = "method";
	}
	err_set(e, ERR_UNSUPPORTED, 0, "%s %s/%s", what, service, name);
	return NULL;
}

void shim_request(struct ttrpc_call *rpc)
{
	const Ttrpc__Request *q = rpc->req;
	struct call c = { .shim = rpc->server->ctx, .rpc = rpc };
	struct err e;
	const struct method *m = find(q->service, q->method, &e);

	if (!m) {
		call_fail(&c, &e);
		return;
	}
	c.m = rpc_unpack(m->request, q->payload.data, q->payload.len);
	if (!c.m) {
		err_set(&e, ERR_INVALID, 0, "%s: the request cannot be read", m->name);
		call_fail(&c, &e);
		return;
	}
	m->call(&c);
	if (c.m)
		protobuf_c_message_free_unpacked(c.m, NULL);
}
