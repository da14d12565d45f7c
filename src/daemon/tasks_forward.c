/* Events that are forwarded over ttrpc; see tasks_forward.h. */
#include "tasks_forward.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus.h"
#include "daemon.h"
#include "daemon_settings.h"
#include "engine.h"
#include "err.h"
#include "events.pb-c.h"
#include "identifier.h"
#include "rpc_unpack.h"
#include "str.h"
#include "sys.h"
#include "tasks.h"
#include "wellknown.pb-c.h"

struct forwarding {
	struct daemon *d;
	struct ttrpc_call *call;
	Containerd__Events__ForwardRequest *m; /* checked */
	Containerd__Events__TaskOOM *task; /* whose it is: every event of a task has its id first */
	struct engine_op op;
};

static void finish(struct forwarding *f, const struct err *e)
{
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;

	if (e)
		ttrpc_fail(f->call, e);
	else
		ttrpc_reply(f->call, &empty.base);
	if (f->task)
		containerd__events__task_oom__free_unpacked(f->task, NULL);
	if (f->m)
		protobuf_c_message_free_unpacked(&f->m->base, NULL);
	free(f);
}

static bool tell(struct forwarding *f)
{
	const Containerd__Events__Envelope *v = f->m->envelope;
	const struct engine_event ev = {
		.namespace = v->namespace_,
		.id = f->task->container_id,
		.topic = v->topic,
		.at = { (time_t)v->timestamp->seconds, v->timestamp->nanos },
		.type = v->event->type_url,
		.body = v->event->value.data,
		.len = v->event->value.len,
	};

	return engine_forwarded(f->d->engine, &ev);
}

static void publish(struct forwarding *f)
{
	struct err e;

	finish(f, bus_forward(f->d->bus, f->m->envelope, &e) < 0 ? &e : NULL);
}

static void on_opened(struct engine_op *op, int r, const struct err *e)
{
	struct forwarding *f = op->ctx;

	if (r == -ECANCELED) /* we end; the shim tries again */
		finish(f, e);
	else if (r >= 0 && tell(f))
		finish(f, NULL);
	else
		publish(f);
}

/* One that runs since before us, and that we have not looked at yet. */
static bool has_bundle(const struct forwarding *f)
{
	OWN_SB struct sb path = SB_INIT;

	if (identifier_check(f->task->container_id, NULL) < 0)
		return false;
	sb_printf(&path, "%s/%s/%s", f->d->settings->engine.state, f->m->envelope->namespace_, f->task->container_id);
	return !path.failed && sys_faccessat(AT_FDCWD, path.s, F_OK) >= 0;
}

static void forward(struct forwarding *f)
{
	const Containerd__Events__Envelope *v = f->m->envelope;
	struct err e;

	if (str_starts(v->topic, "/tasks/"))
		f->task = containerd__events__task_oom__unpack(NULL, v->event->value.len, v->event->value.data);
	if (f->task && tell(f)) {
		finish(f, NULL);
		return;
	}
	f->op = (struct engine_op){ .done = on_opened, .ctx = f };
	if (!f->task || !tasks_look(f->d) || engine_find(f->d->engine, v->namespace_, f->task->container_id) ||
	    !has_bundle(f) ||
	    engine_open(f->d->engine, &f->op, v->namespace_, f->task->container_id, &e) < 0)
		publish(f);
}

void forward_ttrpc_request(struct ttrpc_call *c)
{
	struct forwarding *f;
	struct err e;
	int r;

	if (strcmp(c->req->service, "containerd.services.events.ttrpc.v1.Events") != 0 ||
	    strcmp(c->req->method, "Forward") != 0) {
		err_set(&e, ERR_UNSUPPORTED, 0, "%s/%s", c->req->service, c->req->method);
		ttrpc_fail(c, &e);
		return;
	}
	f = calloc(1, sizeof *f);
	if (!f) {
		err_sys(&e, -ENOMEM, "Forward");
		ttrpc_fail(c, &e);
		return;
	}
	f->d = c->server->ctx;
	f->call = c;
	f->m = (void *)rpc_unpack(&containerd__events__forward_request__descriptor, c->req->payload.data,
				  c->req->payload.len);
	r = f->m ? bus_check(f->m->envelope, &e) :
		   err_set(&e, ERR_INVALID, 0, "Forward: the request cannot be read");
	if (r < 0)
		finish(f, &e);
	else
		forward(f);
}
