/* Requests: calls that go on in the engine; see hcs.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fd.h"
#include "hcs.h"
#include "process.h"
#include "system.h"
#include "results.h"

struct request *request_for(struct system *s, struct process *p)
{
	struct request *rq = calloc(1, sizeof *rq);

	if (!rq)
		return NULL;
	rq->begun_ms = clock_ms();
	for (int i = 0; i < 3; i++)
		rq->resource[i] = -1;
	if (s) {
		rq->sys = system_ref(s);
		s->requests++;
	}
	if (p)
		rq->proc = process_ref(p);
	return rq;
}

struct request *request_new(struct call *c)
{
	struct request *rq = request_for(c->sys, c->proc);

	if (!rq) {
		call_nomem(c);
		return NULL;
	}
	if (c->op) {
		rq->op = obj_ref(c->op);
		c->op->rq = rq;
		for (int i = 0; i < 3; i++)
			rq->resource[i] = take_fd(&c->op->resource[i]);
	}
	return rq;
}

void request_forget(struct request *rq)
{
	if (!rq->op)
		return;
	rq->op->rq = NULL;
	obj_unref(rq->op);
	rq->op = NULL;
}

struct engine_task *request_task(const struct request *rq)
{
	return rq->sys ? rq->sys->task : NULL;
}

static void on_done(struct engine_op *eop, int r, const struct err *e)
{
	struct request *rq = (struct request *)eop;

	rq->in_engine = false;
	if (rq->op && eop->phase)
		rq->op->phase = eop->phase;
	rq->next(rq, r, e);
}

void request_in_engine(struct request *rq, request_next next)
{
	rq->next = next;
	rq->eop = (struct engine_op){ .done = on_done, .fds = { -1, -1, -1 }, .timeout_ms = rq->eop.timeout_ms };
}

int request_call(struct request *rq, const char *method, const ProtobufCMessage *m, request_next next, struct err *e)
{
	struct engine_task *t = request_task(rq);
	int r;

	if (!t)
		return err_set(e, ERR_NOT_FOUND, 0, "there is no such system any more");
	request_in_engine(rq, next);
	r = engine_call(t, &rq->eop, method, m, e);
	if (r < 0)
		return r;
	rq->in_engine = true;
	if (rq->op)
		op_phase(rq->op, method);
	return 0;
}

void request_cancel(struct request *rq)
{
	if (rq->cancelled)
		return;
	rq->cancelled = true;
	if (rq->cancel)
		rq->cancel(rq);
}

static char *report(const struct request *rq, HRESULT hr, const struct err *e)
{
	const struct operation *op = rq->op;
	struct failure f = {
		.hr = hr,
		.call = op->call,
		.ns = op->system_ns,
		.system = op->system_id,
		.pid = op->pid,
		.phase = op->phase,
		.phase_ms = op->phase ? clock_ms() - op->phase_ms : -1,
		.e = e && e->kind ? e : NULL,
	};

	return result_error(&f);
}

void request_end(struct request *rq, HRESULT hr, const struct err *e, char *doc)
{
	struct operation *op = rq->op;

	if (op && FAILED(hr) && !doc)
		doc = report(rq, hr, e);
	if (op) {
		rq->op = NULL;
		op->rq = NULL;
		op_complete(op, hr, doc);
		obj_unref(op);
	} else {
		free(doc);
	}
	source_remove(&rq->timer);
	if (rq->proc)
		process_unref(rq->proc);
	if (rq->sys) {
		rq->sys->requests--;
		system_settle(rq->sys);
		system_unref(rq->sys);
	}
	for (int i = 0; i < 3; i++)
		fd_closep(&rq->resource[i]);
	arena_done(&rq->a);
	free(rq);
}

/* It was refused at once: the call fails with what `c->e` says. */
HRESULT request_refuse(struct request *rq, struct call *c, HRESULT hr)
{
	request_forget(rq);
	request_end(rq, hr, NULL, NULL);
	return hr;
}
