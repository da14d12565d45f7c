/* HcsOpenComputeSystem(): a handle on what somebody made before. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"
#include "log_calls.h"
#include "results.h"
#include "system.h"

struct opening {
	bool done;
	HRESULT hr;
	struct err e;
	struct system *sys; /* a reference */
};

/* The engine's task, and perhaps another thread has opened it meanwhile. */
static struct system *adopt(struct engine_task *t)
{
	struct system *s = system_find(t->namespace, t->id);

	if (s && s->task == t) {
		s->watches++;
		s->opening++;
		return system_ref(s);
	}
	s = system_new(t->namespace, t->id);
	if (!s)
		return NULL;
	system_found(s, t);
	s->opening++;
	if (t->now.status == ENGINE_STOPPED)
		system_exit_begin(s, t->now.exit_status, &t->now.exited_at);
	return s;
}

static void on_opened(struct request *rq, int r, const struct err *e)
{
	struct opening *o = rq->mine;

	o->done = true;
	if (r < 0) {
		o->e = *e;
		o->hr = e->kind == ERR_NOT_FOUND ? HCS_E_SYSTEM_NOT_FOUND : result_of(e);
	} else {
		o->sys = adopt(rq->eop.task);
		if (!o->sys) {
			engine_task_unwatch(rq->eop.task);
			o->hr = E_OUTOFMEMORY;
		}
	}
	request_end(rq, S_OK, NULL, NULL);
}

static bool is_opened(void *ctx)
{
	const struct opening *o = ctx;

	/* What there is to know of the end of one that has stopped is there, too. */
	return o->done && (!o->sys || !o->sys->exiting);
}

static HRESULT find(struct call *c, const char *ns, const char *id, struct system **ret)
{
	struct opening o = { 0 };
	struct request *rq;

	if (!lib.driven)
		(void)loop_dispatch(&lib.loop); /* it may be gone, and we not have heard of it */
	*ret = system_find(ns, id);
	if (*ret && (*ret)->handles && (*ret)->watches) {
		system_ref(*ret)->opening++;
		return S_OK;
	}
	rq = request_for(NULL, NULL);
	if (!rq)
		return call_nomem(c);
	rq->mine = &o;
	request_in_engine(rq, on_opened);
	if (engine_open(lib.engine, &rq->eop, ns, id, &c->e) < 0) {
		request_end(rq, S_OK, NULL, NULL);
		return c->e.kind == ERR_NOT_FOUND ? HCS_E_SYSTEM_NOT_FOUND : call_failed(c);
	}
	rq->in_engine = true;
	lib_wait(is_opened, &o, FOREVER); /* the engine has a bound for it */
	c->e = o.e;
	*ret = o.sys;
	return o.hr;
}

static HRESULT open_system(const char *name, const char *ns, const char *id, uint32_t access, HCS_SYSTEM *ret)
{
	struct system_handle *h;
	struct system *s;
	struct call c;
	HRESULT hr = call_begin(&c, name);

	if (ret)
		*ret = NULL;
	if (FAILED(hr))
		return hr;
	c.id = id;
	hr = call_ready(&c);
	if (SUCCEEDED(hr) && (!id || !ret))
		hr = call_refuse(&c, E_INVALIDARG, "%s: is NULL", id ? "computeSystem" : "id");
	if (SUCCEEDED(hr) && access != GENERIC_ALL)
		hr = call_refuse(&c, E_INVALIDARG, "requestedAccess: 0x%x; it must be GENERIC_ALL", access);
	if (FAILED(hr))
		return call_end(&c, hr);
	log_begin(&c);
	hr = find(&c, ns ? ns : engine_settings_of(lib.engine)->namespace, id, &s);
	if (FAILED(hr))
		return call_end(&c, hr);
	h = system_open(s, NULL);
	if (h)
		*ret = h->w.obj.handle;
	s->opening--;
	system_settle(s);
	system_unref(s);
	return call_end(&c, h ? S_OK : call_nomem(&c));
}

API HRESULT HcsOpenComputeSystem(const char *id, uint32_t requestedAccess, HCS_SYSTEM *computeSystem)
{
	return open_system(__func__, NULL, id, requestedAccess, computeSystem);
}

API HRESULT HcsOpenComputeSystemInNamespace(const char *idNamespace, const char *id, uint32_t requestedAccess,
					    HCS_SYSTEM *computeSystem)
{
	return open_system(__func__, idNamespace, id, requestedAccess, computeSystem);
}
