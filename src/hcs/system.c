/* Systems and their handles. */
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "berth_shim.pb-c.h"
#include "clock.h"
#include "fd.h"
#include "library.h"
#include "log_calls.h"
#include "process.h"
#include "results.h"
#include "str.h"
#include "sys.h"

/* ---- the table ---------------------------------------------------------------------- */

static struct system **bucket(const char *ns, const char *id)
{
	uint32_t h = 2166136261u;

	for (; *ns; ns++)
		h = (h ^ (unsigned char)*ns) * 16777619u;
	for (h = (h ^ '/') * 16777619u; *id; id++)
		h = (h ^ (unsigned char)*id) * 16777619u;
	return &lib.systems[h % SYSTEM_BUCKETS];
}

struct system *system_find(const char *ns, const char *id)
{
	struct system *s;

	for (s = *bucket(ns, id); s; s = s->next)
		if (s->listed && !strcmp(s->id, id) && !strcmp(s->ns, ns))
			break;
	return s;
}

struct system *system_of(const struct engine_task *t)
{
	struct system *s;

	for (s = *bucket(t->namespace, t->id); s; s = s->next)
		if (s->task == t)
			break;
	return s;
}

void system_unlist(struct system *s)
{
	s->listed = false;
}

static void leave_table(struct system *s)
{
	struct system **at;

	if (!s->in_table)
		return;
	for (at = bucket(s->ns, s->id); *at != s; at = &(*at)->next)
		;
	*at = s->next;
}

void system_found(struct system *s, struct engine_task *t)
{
	struct system **at, *old = system_find(s->ns, s->id);
	OWN_ARENA struct arena a = ARENA_INIT;
	struct system_meta meta;

	s->task = engine_task_ref(t);
	s->watches = 1;
	if (meta_read(&a, t->record, &meta) < 0 || meta_copy(&s->meta, &meta) < 0)
		s->meta = (struct system_meta){ .own_command = true };
	if (old) /* it went, and nobody has told us yet */
		system_unlist(old);
	at = bucket(s->ns, s->id);
	s->next = *at;
	*at = s;
	s->in_table = s->listed = true;
}

/* ---- life ------------------------------------------------------------------------------ */

struct system *system_new(const char *ns, const char *id)
{
	struct system *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->refs = 1;
	s->ns = strdup(ns);
	s->id = strdup(id);
	if (!s->ns || !s->id) {
		system_unref(s);
		return NULL;
	}
	return s;
}

struct system *system_ref(struct system *s)
{
	s->refs++;
	return s;
}

static void unwatch(struct system *s)
{
	for (; s->watches; s->watches--)
		engine_task_unwatch(s->task);
}

void system_unref(struct system *s)
{
	if (--s->refs)
		return;
	leave_table(s);
	if (s->task) {
		unwatch(s);
		engine_task_unref(s->task);
	}
	free(s->exit_doc);
	free(s->ns);
	free(s->id);
	meta_free(&s->meta);
	free(s);
}

/* Somebody has a handle on one that runs, and may wait for it. */
static bool has_processes(const struct system *s)
{
	for (const struct process *p = s->processes; p; p = p->next)
		if (p->handles && !p->exited && !p->failed)
			return true;
	return false;
}

void system_settle(struct system *s)
{
	if (s->handles || s->opening || !s->task)
		return;
	if ((s->requests || has_processes(s)) && !s->meta.terminate)
		return;
	system_unlist(s);
	unwatch(s);
}

void system_fail(struct system *s)
{
	s->failed = true;
	lib_changed();
}

/* ---- state -------------------------------------------------------------------------------- */

static enum sys_state running_state(const struct system *s)
{
	if (s->killed)
		return SYS_TERMINATING;
	if (s->shut)
		return SYS_STOPPING;
	if (s->pausing)
		return SYS_PAUSING;
	return s->starting ? SYS_STARTING : SYS_RUNNING;
}

enum sys_state system_state(const struct system *s)
{
	if (s->failed)
		return SYS_NONE;
	if (s->lost)
		return SYS_LOST;
	if (s->exited)
		return SYS_STOPPED;
	if (s->deleted)
		return SYS_NONE;
	if (s->creating || !s->task)
		return SYS_CREATING;
	if (s->exiting)
		return SYS_TERMINATING;
	switch (s->task->now.status) {
	case ENGINE_CREATED:
		return s->killed ? SYS_TERMINATING : s->starting ? SYS_STARTING : SYS_CREATED;
	case ENGINE_RUNNING:
		return running_state(s);
	case ENGINE_PAUSED:
		return s->killed ? SYS_TERMINATING : SYS_PAUSED;
	case ENGINE_STOPPED:
	case ENGINE_GONE:
		return SYS_TERMINATING; /* the exit is on its way */
	case ENGINE_UNKNOWN:
		break;
	}
	return SYS_UNKNOWN;
}

HRESULT system_check(struct call *c, enum sys_call what)
{
	enum sys_state state = system_state(c->sys);
	HRESULT hr = sys_state_check(state, what);

	if (FAILED(hr))
		call_refuse(c, hr, "cannot %s a system that is %s", sys_call_words(what), sys_state_words(state));
	return hr;
}

HRESULT system_refused(const struct system *s, const struct err *e)
{
	return e->kind == ERR_STATE && (s->exited || s->exiting) ? HCS_E_SYSTEM_ALREADY_STOPPED : result_of(e);
}

/* ---- handles ---------------------------------------------------------------------------------- */

static void release(struct obj *o)
{
	struct system_handle *h = (struct system_handle *)o;

	fd_closep(&h->w.fd);
	system_unref(h->sys);
	free(h);
}

struct system_handle *system_open(struct system *s, const struct callback *cb)
{
	struct system_handle *h = calloc(1, sizeof *h);

	if (!h)
		return NULL;
	if (handle_open(&lib.handles, &h->w.obj, OBJ_SYSTEM, release) < 0) {
		free(h);
		return NULL;
	}
	h->w.fd = -1;
	if (cb)
		h->w.cb = *cb;
	h->sys = system_ref(s);
	h->next = s->handles;
	s->handles = h;
	return h;
}

static void tell(struct system_handle *h)
{
	const struct system *s = h->sys;

	if (s->exited || s->lost)
		lib_raise(h->w.fd);
	if (!h->w.cb.fn)
		return;
	if (s->lost && !(h->w.told & TELL_DISCONNECT) &&
	    notice_add(h, HcsEventServiceDisconnect, NULL, NULL) >= 0)
		h->w.told |= TELL_DISCONNECT;
	if (s->exited && !(h->w.told & TELL_EXIT) && notice_add(h, HcsEventSystemExited, s->exit_doc, NULL) >= 0)
		h->w.told |= TELL_EXIT;
}

void system_tell(struct system *s)
{
	for (struct system_handle *h = s->handles; h; h = h->next)
		tell(h);
	lib_changed();
}

/* Those that were begun with it, and what their result is now. */
void watcher_close(struct watcher *w)
{
	handle_close(&lib.handles, &w->obj);
	while (w->ops)
		op_orphan(w->ops);
	lib_changed();
	obj_drain(&w->obj);
}

static void unlink_handle(struct system_handle *h)
{
	struct system_handle **at;

	for (at = &h->sys->handles; *at != h; at = &(*at)->next)
		;
	*at = h->next;
}

void system_forget(struct system_handle *h)
{
	unlink_handle(h);
	handle_close(&lib.handles, &h->w.obj);
	while (h->w.ops)
		op_detach(h->w.ops);
	obj_unref(h);
}

/* ---- the last handle -------------------------------------------------------------- */

struct releasing {
	struct releasing *next;
	const struct engine_task *task;
	bool done, gone;
};

static struct releasing *releases;

static void on_released(struct request *rq, int r, const struct err *e)
{
	((struct releasing *)rq->mine)->done = true;
	request_end(rq, S_OK, NULL, NULL);
}

static bool is_released(void *ctx)
{
	return ((struct releasing *)ctx)->done;
}

static bool is_gone(void *ctx)
{
	return ((struct releasing *)ctx)->gone;
}

/* Its shim has ended. */
void system_gone(const struct engine_task *t)
{
	for (struct releasing *w = releases; w; w = w->next)
		if (w->task == t)
			w->gone = true;
	lib_changed();
}

static void unlink_release(struct releasing *w)
{
	struct releasing **at;

	for (at = &releases; *at != w; at = &(*at)->next)
		;
	*at = w->next;
}

/* A system that goes with its last handle is gone when that is closed: its id is
 * free then. If its shim has trouble with it, it goes on trying. */
static void release_system(struct system *s)
{
	enum { RELEASE_MS = 10000, END_MS = 2000 };
	Berth__Shim__V1__ReleaseRequest m = BERTH__SHIM__V1__RELEASE_REQUEST__INIT;
	struct releasing w = { .next = releases, .task = s->task };
	struct request *rq;
	struct err e;

	if (s->handles || s->opening || !s->watches || s->meta.keep)
		return;
	if (!s->meta.terminate && !s->exited)
		return;
	rq = request_for(s, NULL);
	if (!rq)
		return;
	rq->mine = &w;
	rq->eop.timeout_ms = RELEASE_MS;
	m.id = s->id;
	system_unlist(s); /* who opens it now asks the engine */
	releases = &w;
	s->opening++; /* it stays watched: its end is to be heard of */
	if (request_call(rq, "Release", &m.base, on_released, &e) < 0)
		request_end(rq, S_OK, NULL, NULL);
	else
		lib_wait(is_released, &w, FOREVER);
	/* If nobody else holds it, its shim ends: the next of this name is not to meet it. */
	if (w.done && sys_faccessat(AT_FDCWD, s->task->bundle, F_OK) == -ENOENT)
		lib_wait(is_gone, &w, clock_ms() + END_MS);
	s->opening--;
	unlink_release(&w);
	if (!s->handles && !s->opening)
		processes_over(s, true); /* if another program has it they may run, but we do not hear of them */
}

API void HcsCloseComputeSystem(HCS_SYSTEM computeSystem)
{
	struct system_handle *h;
	struct call c;

	if (!computeSystem || FAILED(call_begin(&c, __func__)))
		return;
	h = handle_find(&lib.handles, computeSystem, OBJ_SYSTEM);
	if (h) {
		c.sh = obj_ref(h);
		c.sys = h->sys;
		log_begin(&c);
		unlink_handle(h);
		watcher_close(&h->w);
		release_system(h->sys);
		system_settle(h->sys);
		obj_unref(h);
	}
	call_end(&c, S_OK);
}

/* ---- callback, exit, fd ---------------------------------------------------------------------------- */

HRESULT check_callback_options(struct call *c, HCS_EVENT_OPTIONS options)
{
	const unsigned known = HcsEventOptionEnableOperationCallbacks | HcsEventOptionEnableVmLifecycle |
			       HcsEventOptionEnableLiveMigrationEvents;

	return (unsigned)options & ~known ? call_refuse(c, E_INVALIDARG, "callbackOptions: 0x%x", (unsigned)options) :
					    S_OK;
}

/* From now on it is this one that is told, of what was not told yet, too. */
void watcher_set(struct watcher *w, const struct callback *cb)
{
	w->cb = *cb;
	if (cb->fn && cb->options & HcsEventOptionEnableOperationCallbacks)
		for (struct operation *op = w->ops; op; op = op->next)
			op_tell(op);
	obj_drain(&w->obj);
}

API HRESULT HcsSetComputeSystemCallback(HCS_SYSTEM computeSystem, HCS_EVENT_OPTIONS callbackOptions,
					const void *context, HCS_EVENT_CALLBACK callback)
{
	const struct callback cb = { callback, (void *)(uintptr_t)context, callbackOptions };
	struct call c;
	HRESULT hr = call_begin(&c, __func__);

	if (FAILED(hr))
		return hr;
	hr = call_system(&c, computeSystem);
	if (SUCCEEDED(hr))
		hr = check_callback_options(&c, callbackOptions);
	if (SUCCEEDED(hr)) {
		watcher_set(&c.sh->w, &cb);
		if (!c.sh->w.obj.closed)
			tell(c.sh);
	}
	return call_end(&c, hr);
}

static bool is_over(void *ctx)
{
	const struct system_handle *h = ctx;

	return h->w.obj.closed || h->sys->exited || h->sys->failed;
}

static HRESULT exit_of(struct call *c, const struct system_handle *h, char **result)
{
	const struct system *s = h->sys;

	if (h->w.obj.closed)
		return call_refuse(c, E_HANDLE, "the handle was closed meanwhile");
	if (s->failed)
		return call_refuse(c, HCS_E_SYSTEM_NOT_FOUND, "the system was not created");
	if (result && s->exit_doc) {
		*result = strdup(s->exit_doc);
		if (!*result)
			return HCS_E_OPERATION_RESULT_ALLOCATION_FAILED;
	}
	return s->lost ? call_refuse(c, HCS_E_SERVICE_DISCONNECT, "the system's shim died, and the system with it") :
			 S_OK;
}

API HRESULT HcsWaitForComputeSystemExit(HCS_SYSTEM computeSystem, uint32_t timeoutMs, char **result)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);

	if (result)
		*result = NULL;
	if (FAILED(hr))
		return hr;
	hr = call_system(&c, computeSystem);
	if (FAILED(hr))
		return call_end(&c, hr);
	hr = lib_wait(is_over, c.sh, lib_deadline(timeoutMs));
	hr = SUCCEEDED(hr) ? exit_of(&c, c.sh, result) :
			     call_refuse(&c, hr, "the system has not stopped after %u ms", timeoutMs);
	return call_end(&c, hr);
}

API HRESULT HcsGetComputeSystemFd(HCS_SYSTEM computeSystem, int *fd)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);

	if (FAILED(hr))
		return hr;
	hr = call_system(&c, computeSystem);
	if (FAILED(hr))
		return call_end(&c, hr);
	if (!fd)
		return call_end(&c, call_refuse(&c, E_INVALIDARG, "fd: is NULL"));
	if (c.sh->w.fd < 0) {
		int r = sys_eventfd(c.sys->exited || c.sys->lost, EFD_CLOEXEC | EFD_NONBLOCK);

		if (r < 0) {
			err_sys(&c.e, r, "make an eventfd");
			return call_end(&c, call_failed(&c));
		}
		c.sh->w.fd = r;
	}
	*fd = c.sh->w.fd;
	return call_end(&c, S_OK);
}
