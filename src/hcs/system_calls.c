/* What is done to systems: start, shut down, terminate, pause, resume, delete, ... */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "berth_shim.pb-c.h"
#include "problems.h"
#include "results.h"
#include "schema_requests.h"
#include "str.h"
#include "system.h"
#include "task.pb-c.h"

/* ---- the common part ------------------------------------------------------------------ */

HRESULT no_options(struct call *c, const char *options)
{
	if (str_empty(options) || !strcmp(options, "{}"))
		return S_OK;
	return call_refuse(c, HCS_E_ERROR_NOT_SUPPORTED, "options: there are none");
}

struct row {
	const char *name;
	HCS_OPERATION_TYPE type;
	enum sys_call call;
	/* `rq` is its own from now on, but on failure */
	HRESULT(*begin)
	(struct call *c, struct request *rq);
	HRESULT(*options)
	(struct call *c, const char *options);
};

static HRESULT carry_out(const struct row *row, HCS_SYSTEM system, HCS_OPERATION operation, const char *options)
{
	struct call c;
	HRESULT hr = call_begin(&c, row->name);
	struct request *rq;

	if (FAILED(hr))
		return hr;
	c.doc = options;
	hr = call_claim(&c, operation, row->type);
	if (SUCCEEDED(hr))
		hr = call_system(&c, system);
	if (SUCCEEDED(hr))
		hr = system_check(&c, row->call);
	if (SUCCEEDED(hr))
		hr = row->options(&c, options);
	if (FAILED(hr))
		return call_end(&c, hr);
	rq = request_new(&c);
	if (!rq)
		return call_end(&c, E_OUTOFMEMORY);
	hr = row->begin(&c, rq);
	return call_end(&c, FAILED(hr) ? request_refuse(rq, &c, hr) : hr);
}

/* It is over in the call: what is missing is only the answer. */
static HRESULT ask(struct call *c, struct request *rq, const char *method, const ProtobufCMessage *m,
		   request_next next)
{
	return request_call(rq, method, m, next, &c->e) < 0 ? call_failed(c) : S_OK;
}

static char *id_of(const struct request *rq)
{
	return rq->sys->id;
}

/* ---- start --------------------------------------------------------------------------------- */

static void started(struct request *rq, HRESULT hr, const struct err *e)
{
	struct system *s = rq->sys;

	s->starting = NULL;
	if (FAILED(hr) && s->killed)
		hr = HCS_E_TERMINATED_DURING_START;
	gate_done(rq);
	request_end(rq, hr, e, NULL);
	lib_changed();
}

static void on_started(struct request *rq, int r, const struct err *e)
{
	started(rq, r < 0 ? system_refused(rq->sys, e) : S_OK, e);
}

static void go_start(struct request *rq)
{
	Containerd__Task__V2__StartRequest m = CONTAINERD__TASK__V2__START_REQUEST__INIT;
	struct err e;

	m.id = id_of(rq);
	rq->eop.timeout_ms = lib.timeouts.start;
	if (request_call(rq, "Start", &m.base, on_started, &e) < 0)
		started(rq, result_of(&e), &e);
}

static void cancel_start(struct request *rq)
{
	if (gate_leave_queue(rq))
		started(rq, HCS_E_ERROR_CANCELLED, NULL);
}

static HRESULT begin_start(struct call *c, struct request *rq)
{
	rq->sys->starting = rq;
	rq->cancel = cancel_start;
	gate_enter(rq, go_start);
	return S_OK;
}

API HRESULT HcsStartComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options)
{
	static const struct row row = { "HcsStartComputeSystem", HcsOperationTypeStart, SYS_CALL_START, begin_start,
					no_options };

	return carry_out(&row, computeSystem, operation, options);
}

/* ---- kill -------------------------------------------------------------------------------------- */

static HRESULT send_signal(struct request *rq, int signal, bool all, request_next next, struct err *e)
{
	Containerd__Task__V2__KillRequest m = CONTAINERD__TASK__V2__KILL_REQUEST__INIT;

	m.id = id_of(rq);
	m.signal = (uint32_t)signal;
	m.all = all;
	return request_call(rq, "Kill", &m.base, next, e) < 0 ? result_of(e) : S_OK;
}

static HRESULT send_kill(struct request *rq, int signal, request_next next, struct err *e)
{
	return send_signal(rq, signal, true, next, e);
}

/* There is nobody left to kill, or no shim: the exit is on its way. */
static bool means_over(const struct err *e)
{
	return e->kind == ERR_NOT_FOUND || e->kind == ERR_LOST;
}

static void on_killed(struct request *rq, int r, const struct err *e)
{
	struct system *s = rq->sys;

	if (r < 0 && !means_over(e)) {
		s->killed = false;
		request_end(rq, result_of(e), e, NULL);
		return;
	}
	if (rq->op)
		op_phase(rq->op, "wait for the exit");
	system_await_exit(s, rq);
}

/* A start in the queue never gets to the shim; one that is there is what Kill ends. */
static HRESULT begin_terminate(struct call *c, struct request *rq)
{
	struct system *s = rq->sys;
	HRESULT hr;

	s->killed = true;
	if (s->creating) {
		rq->link = s->waiting;
		s->waiting = rq;
		request_cancel(s->creating);
		return S_OK;
	}
	if (s->starting)
		request_cancel(s->starting);
	hr = send_kill(rq, SIGKILL, on_killed, &c->e);
	if (SUCCEEDED(hr))
		return hr;
	if (means_over(&c->e)) {
		system_await_exit(s, rq);
		return S_OK;
	}
	s->killed = false;
	return hr;
}

void system_kill(struct system *s)
{
	struct request *rq = request_for(s, NULL);
	struct err e;

	if (rq && FAILED(send_kill(rq, SIGKILL, on_killed, &e)))
		request_end(rq, S_OK, NULL, NULL);
}

API HRESULT HcsTerminateComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options)
{
	static const struct row row = { "HcsTerminateComputeSystem", HcsOperationTypeTerminate, SYS_CALL_TERMINATE,
					begin_terminate, no_options };

	return carry_out(&row, computeSystem, operation, options);
}

/* ---- shut down --------------------------------------------------------------------------------------- */

enum { FORCE_MS = 10000 }; /* ShutdownOptions.Force: how long it has for ending by itself */

static HRESULT shutdown_options(struct call *c, const char *options)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	const struct schema_source src = { .text = options, .len = options ? strlen(options) : 0, .name = "options" };
	struct schema_shutdown *doc;

	if (str_empty(options))
		return S_OK;
	if (schema_parse_shutdown(&a, &src, &doc, &c->e) < 0)
		return document_result(&c->e);
	c->force = doc->force;
	c->signal = doc->signal;
	return S_OK;
}

static int on_force(struct source *src, uint32_t events)
{
	struct request *rq = (struct request *)((char *)src - offsetof(struct request, timer));

	if (!rq->sys->exited && !rq->sys->killed) {
		rq->sys->killed = true;
		system_kill(rq->sys);
	}
	request_end(rq, S_OK, NULL, NULL);
	return 0;
}

static void on_shut(struct request *rq, int r, const struct err *e)
{
	HRESULT hr = S_OK;

	if (r < 0) {
		hr = e->kind == ERR_NOT_FOUND ? HCS_E_SYSTEM_ALREADY_STOPPED : result_of(e);
		rq->sys->shut = false;
	} else if (rq->force) {
		struct operation *op = rq->op;

		if (op) {
			obj_ref(op);
			request_forget(rq);
			op_complete(op, S_OK, NULL);
			obj_unref(op);
		}
		if (source_timer(&rq->timer, &lib.loop, FORCE_MS, on_force) >= 0)
			return;
	}
	request_end(rq, hr, e, NULL);
}

/* The built-in init ends at SIGTERM alone, as soon as the others have. */
static void tell_init(struct request *rq, int r, const struct err *e)
{
	struct err mine;

	if (r < 0)
		on_shut(rq, r, e);
	else if (FAILED(send_signal(rq, SIGTERM, false, on_shut, &mine)))
		on_shut(rq, -EIO, &mine);
}

static HRESULT begin_shutdown(struct call *c, struct request *rq)
{
	const struct system_meta *m = &rq->sys->meta;
	int signal = c->signal ? c->signal : meta_signal(m);
	HRESULT hr = send_kill(rq, signal, m->own_command || signal == SIGTERM ? on_shut : tell_init, &c->e);

	rq->sys->shut = SUCCEEDED(hr);
	rq->force = c->force;
	return hr;
}

API HRESULT HcsShutDownComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options)
{
	static const struct row row = { "HcsShutDownComputeSystem", HcsOperationTypeShutdown, SYS_CALL_SHUTDOWN,
					begin_shutdown, shutdown_options };

	return carry_out(&row, computeSystem, operation, options);
}

/* ---- pause, resume ------------------------------------------------------------------------------------- */

static HRESULT pause_options(struct call *c, const char *options)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	const struct schema_source src = { .text = options, .len = options ? strlen(options) : 0, .name = "options" };
	struct schema_pause *doc;

	if (str_empty(options))
		return S_OK;
	return schema_parse_pause(&a, &src, &doc, &c->e) < 0 ? document_result(&c->e) : S_OK;
}

static void on_resumed(struct request *rq, int r, const struct err *e)
{
	request_end(rq, r < 0 ? system_refused(rq->sys, e) : S_OK, e, NULL);
}

static void on_paused(struct request *rq, int r, const struct err *e)
{
	rq->sys->pausing = false;
	on_resumed(rq, r, e);
}

static HRESULT begin_pause(struct call *c, struct request *rq)
{
	Containerd__Task__V2__PauseRequest m = CONTAINERD__TASK__V2__PAUSE_REQUEST__INIT;
	HRESULT hr;

	m.id = id_of(rq);
	rq->eop.timeout_ms = lib.timeouts.pause;
	hr = ask(c, rq, "Pause", &m.base, on_paused);
	rq->sys->pausing = SUCCEEDED(hr);
	return hr;
}

static HRESULT begin_resume(struct call *c, struct request *rq)
{
	Containerd__Task__V2__ResumeRequest m = CONTAINERD__TASK__V2__RESUME_REQUEST__INIT;

	m.id = id_of(rq);
	rq->eop.timeout_ms = lib.timeouts.resume;
	return ask(c, rq, "Resume", &m.base, on_resumed);
}

API HRESULT HcsPauseComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options)
{
	static const struct row row = { "HcsPauseComputeSystem", HcsOperationTypePause, SYS_CALL_PAUSE, begin_pause,
					pause_options };

	return carry_out(&row, computeSystem, operation, options);
}

API HRESULT HcsResumeComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options)
{
	static const struct row row = { "HcsResumeComputeSystem", HcsOperationTypeResume, SYS_CALL_RESUME,
					begin_resume, no_options };

	return carry_out(&row, computeSystem, operation, options);
}

/* ---- not for containers ---------------------------------------------------------------------------------- */

static HRESULT any_options(struct call *c, const char *options)
{
	return S_OK;
}

static HRESULT begin_unsupported(struct call *c, struct request *rq)
{
	return call_refuse(c, HCS_E_ERROR_NOT_SUPPORTED, "not supported for containers");
}

API HRESULT HcsSaveComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options)
{
	static const struct row row = { "HcsSaveComputeSystem", HcsOperationTypeSave, SYS_CALL_SAVE,
					begin_unsupported, any_options };

	return carry_out(&row, computeSystem, operation, options);
}

API HRESULT HcsCrashComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options)
{
	static const struct row row = { "HcsCrashComputeSystem", HcsOperationTypeCrash, SYS_CALL_CRASH,
					begin_unsupported, any_options };

	return carry_out(&row, computeSystem, operation, options);
}

/* ---- delete, keep ------------------------------------------------------------------------------------------- */

static void on_deleted(struct request *rq, int r, const struct err *e)
{
	HRESULT hr = S_OK;

	if (r < 0)
		hr = e->kind == ERR_NOT_FOUND ? HCS_E_SYSTEM_NOT_FOUND : result_of(e);
	if (SUCCEEDED(hr) || hr == HCS_E_SYSTEM_NOT_FOUND)
		system_deleted(rq->sys);
	request_end(rq, hr, e, NULL);
}

static HRESULT begin_delete(struct call *c, struct request *rq)
{
	if (!rq->sys->task)
		return call_refuse(c, HCS_E_SYSTEM_NOT_FOUND, "there is no such system any more");
	request_in_engine(rq, on_deleted);
	if (engine_delete(rq->sys->task, &rq->eop, &c->e) < 0)
		return call_failed(c);
	rq->in_engine = true;
	return S_OK;
}

API HRESULT HcsDeleteComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options)
{
	static const struct row row = { "HcsDeleteComputeSystem", HcsOperationTypeDelete, SYS_CALL_DELETE,
					begin_delete, no_options };

	return carry_out(&row, computeSystem, operation, options);
}

struct keeping {
	bool done;
	int r;
	struct err e;
};

static void on_kept(struct request *rq, int r, const struct err *e)
{
	struct keeping *k = rq->mine;

	k->done = true;
	k->r = r;
	if (r < 0)
		k->e = *e;
	request_end(rq, S_OK, NULL, NULL);
}

static bool is_kept(void *ctx)
{
	return ((struct keeping *)ctx)->done;
}

static HRESULT keep(struct call *c)
{
	Berth__Shim__V1__HoldRequest m = BERTH__SHIM__V1__HOLD_REQUEST__INIT;
	struct keeping k = { 0 };
	struct request *rq = request_new(c);

	if (!rq)
		return E_OUTOFMEMORY;
	rq->mine = &k;
	m.id = c->sys->id;
	m.lifetime = BERTH__SHIM__V1__LIFETIME__KEEP;
	if (request_call(rq, "Hold", &m.base, on_kept, &c->e) < 0)
		return request_refuse(rq, c, call_failed(c));
	lib_wait(is_kept, &k, FOREVER); /* the engine has a bound for it */
	if (k.r < 0) {
		c->e = k.e;
		return call_failed(c);
	}
	c->sys->meta.keep = true;
	c->sys->meta.terminate = false;
	return S_OK;
}

API HRESULT HcsKeepComputeSystem(HCS_SYSTEM computeSystem)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);

	if (FAILED(hr))
		return hr;
	hr = call_system(&c, computeSystem);
	if (SUCCEEDED(hr))
		hr = system_check(&c, SYS_CALL_PROPERTIES);
	if (SUCCEEDED(hr) && !c.sys->task)
		hr = call_refuse(&c, HCS_E_OPERATION_PENDING, "the system is being created");
	if (SUCCEEDED(hr))
		hr = keep(&c);
	return call_end(&c, hr);
}
