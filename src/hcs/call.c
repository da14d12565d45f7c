/* What every exported function begins and ends with; see hcs.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "hcs.h"
#include "library.h"
#include "log_calls.h"
#include "results.h"

#undef call_refuse
#undef call_failed
#undef call_nomem

/* ---- the last failure of a thread --------------------------------------------------- */

static pthread_key_t last_key;
static pthread_once_t last_once = PTHREAD_ONCE_INIT;
static bool has_last_key;

static void make_last_key(void)
{
	has_last_key = !pthread_key_create(&last_key, free);
}

/* `doc` is taken. */
static void set_last(char *doc)
{
	pthread_once(&last_once, make_last_key);
	if (!has_last_key) {
		free(doc);
		return;
	}
	free(pthread_getspecific(last_key));
	if (pthread_setspecific(last_key, doc))
		free(doc);
}

API HRESULT HcsGetLastResult(char **resultDocument)
{
	const char *doc;

	pthread_once(&last_once, make_last_key);
	if (!resultDocument)
		return E_INVALIDARG;
	doc = has_last_key ? pthread_getspecific(last_key) : NULL;
	*resultDocument = doc ? strdup(doc) : NULL;
	return doc && !*resultDocument ? E_OUTOFMEMORY : S_OK;
}

API void HcsFree(void *memory)
{
	free(memory);
}

/* ---- begin and end --------------------------------------------------------------------- */

HRESULT call_begin(struct call *c, const char *name)
{
	*c = (struct call){ .name = name };
	if (lib.in_child)
		return BERTH_E_AFTER_FORK;
	if (log_in_callback())
		return BERTH_E_IN_LOG_CALLBACK;
	if (lib_once() < 0)
		return E_OUTOFMEMORY;
	c->began_us = clock_us();
	lib_lock();
	return S_OK;
}

static void fail(struct call *c, HRESULT hr)
{
	struct failure f = {
		.hr = hr,
		.call = c->name,
		.ns = c->sys ? c->sys->ns : NULL,
		.system = c->sys ? c->sys->id : c->id,
		.pid = c->proc ? c->proc->pid : 0,
		.e = c->e.kind ? &c->e : NULL,
	};

	if (!c->report)
		c->report = result_error(&f);
	if (c->op && c->op->state == OP_PENDING)
		op_refuse(c->op, hr, c->report ? strdup(c->report) : NULL);
	set_last(c->report);
	c->report = NULL;
}

HRESULT call_end(struct call *c, HRESULT hr)
{
	if (FAILED(hr))
		fail(c, hr);
	log_end(c, hr);
	obj_unref(c->op);
	obj_unref(c->sh);
	obj_unref(c->ph);
	lib_unlock();
	return hr;
}

HRESULT call_refuse(struct call *c, HRESULT hr, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	c->e.kind = ERR_INVALID;
	c->e.sys = 0;
	vsnprintf(c->e.msg, sizeof c->e.msg, fmt, ap);
	va_end(ap);
	return hr;
}

HRESULT call_failed(struct call *c)
{
	return result_of(&c->e);
}

HRESULT call_nomem(struct call *c)
{
	err_sys(&c->e, -ENOMEM, "%s", c->name);
	return E_OUTOFMEMORY;
}

HRESULT call_ready(struct call *c)
{
	return lib_ready(&c->e) < 0 ? call_failed(c) : S_OK;
}

/* ---- what it is about ---------------------------------------------------------------------- */

static HRESULT closed(struct call *c, const void *handle, const char *what)
{
	return handle ? call_refuse(c, E_HANDLE, "%s: the handle is closed, or never was one", what) :
			call_refuse(c, E_INVALIDARG, "%s: is NULL", what);
}

/* The operation is one of this handle's from now on. */
static HRESULT attach(struct call *c, struct watcher *w)
{
	struct operation *op = c->op;

	if (!op)
		return S_OK;
	if ((op->fn || op->event_fn) && w->cb.options & HcsEventOptionEnableOperationCallbacks)
		return call_refuse(c, HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET,
				   "operation: has a callback, and the handle's is told of operations");
	op_attach(op, w);
	return op_set_system(op, c->sys->ns, c->sys->id) < 0 ? call_nomem(c) : S_OK;
}

HRESULT call_system(struct call *c, HCS_SYSTEM system)
{
	struct system_handle *h = handle_find(&lib.handles, system, OBJ_SYSTEM);

	if (!h)
		return closed(c, system, "computeSystem");
	c->sh = obj_ref(h);
	c->sys = h->sys;
	if (c->op)
		c->op->system = system;
	log_begin(c);
	return attach(c, &h->w);
}

HRESULT call_process(struct call *c, HCS_PROCESS process)
{
	struct process_handle *h = handle_find(&lib.handles, process, OBJ_PROCESS);

	if (!h)
		return closed(c, process, "process");
	c->ph = obj_ref(h);
	c->proc = h->proc;
	c->sys = h->proc->sys;
	if (c->op) {
		c->op->process = process;
		c->op->pid = h->proc->pid;
	}
	log_begin(c);
	return attach(c, &h->w);
}

HRESULT call_claim(struct call *c, HCS_OPERATION operation, HCS_OPERATION_TYPE type)
{
	struct operation *op = handle_find(&lib.handles, operation, OBJ_OPERATION);

	if (!op)
		return closed(c, operation, "operation");
	if (op->state != OP_NEW)
		return call_refuse(c, HCS_E_OPERATION_ALREADY_STARTED,
				   "operation: was used for a call before; each needs its own");
	op_begin(op, type, c->name);
	c->op = obj_ref(op);
	return S_OK;
}
