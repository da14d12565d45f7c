/* Operations: what is told of a call, and their functions. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "clock.h"
#include "fd.h"
#include "hcs.h"
#include "json.h"
#include "log_calls.h"
#include "str.h"
#include "sys.h"

/* ---- their life --------------------------------------------------------------------- */

static void release(struct obj *o)
{
	struct operation *op = (struct operation *)o;

	for (int i = 0; i < 3; i++)
		fd_closep(&op->resource[i]);
	fd_closep(&op->info.StdInput);
	fd_closep(&op->info.StdOutput);
	fd_closep(&op->info.StdError);
	fd_closep(&op->fd);
	free(op->system_ns);
	free(op->system_id);
	free(op->doc);
	free(op);
}

static struct operation *make(void)
{
	struct operation *op = calloc(1, sizeof *op);

	if (!op)
		return NULL;
	op->type = HcsOperationTypeNone;
	op->fd = -1;
	op->info.StdInput = op->info.StdOutput = op->info.StdError = -1;
	for (int i = 0; i < 3; i++)
		op->resource[i] = -1;
	if (handle_open(&lib.handles, &op->obj, OBJ_OPERATION, release) < 0) {
		free(op);
		return NULL;
	}
	op->id = ++lib.last_operation;
	return op;
}

static HCS_OPERATION create(struct call *c, const void *context, HCS_OPERATION_COMPLETION fn,
			    HCS_EVENT_CALLBACK event_fn, HCS_OPERATION_OPTIONS types)
{
	struct operation *op = make();
	HCS_OPERATION handle = op ? op->obj.handle : NULL;

	if (op) {
		op->context = (void *)(uintptr_t)context;
		op->fn = fn;
		op->event_fn = event_fn;
		op->event_types = types;
	}
	call_end(c, op ? S_OK : call_nomem(c));
	return handle;
}

API HCS_OPERATION HcsCreateOperation(const void *context, HCS_OPERATION_COMPLETION callback)
{
	struct call c;

	if (FAILED(call_begin(&c, __func__)))
		return NULL;
	return create(&c, context, callback, NULL, HcsOperationOptionNone);
}

API HCS_OPERATION HcsCreateOperationWithNotifications(HCS_OPERATION_OPTIONS eventTypes, const void *context,
						      HCS_EVENT_CALLBACK callback)
{
	struct call c;

	if (FAILED(call_begin(&c, __func__)))
		return NULL;
	if (eventTypes & ~(unsigned)HcsOperationOptionProgressUpdate) {
		call_end(&c, call_refuse(&c, E_INVALIDARG, "eventTypes: 0x%x", (unsigned)eventTypes));
		return NULL;
	}
	return create(&c, context, NULL, callback, eventTypes);
}

/* Those that outlive the watcher's time are told of in the log, once each. */
static int on_watch(struct source *src, uint32_t events)
{
	int64_t now = clock_ms();

	for (struct operation *op = lib.pending; op; op = op->pending_next)
		if (!op->slow && now - op->began_ms >= lib.timeouts.watcher) {
			op->slow = true;
			log_slow(op);
		}
	operations_watch();
	return 0;
}

void operations_watch(void)
{
	int64_t oldest = INT64_MAX, left;

	for (const struct operation *op = lib.pending; op; op = op->pending_next)
		if (!op->slow && op->began_ms < oldest)
			oldest = op->began_ms;
	if (!lib.ready || lib.watcher.loop || oldest == INT64_MAX)
		return;
	left = oldest + lib.timeouts.watcher - clock_ms();
	(void)source_timer(&lib.watcher, &lib.loop, left < 0 ? 0 : (uint32_t)left, on_watch);
}

void op_begin(struct operation *op, HCS_OPERATION_TYPE type, const char *call)
{
	op->type = type;
	op->call = call;
	op->state = OP_PENDING;
	op->began_ms = op->phase_ms = clock_ms();
	clock_gettime(CLOCK_REALTIME, &op->began);
	op->pending_next = lib.pending;
	lib.pending = op;
	operations_watch();
}

void op_attach(struct operation *op, struct watcher *w)
{
	op->on = w;
	op->next = w->ops;
	w->ops = op;
}

int op_set_system(struct operation *op, const char *ns, const char *id)
{
	free(op->system_ns);
	free(op->system_id);
	op->system_ns = strdup(ns);
	op->system_id = strdup(id);
	return op->system_ns && op->system_id ? 0 : -ENOMEM;
}

void op_detach(struct operation *op)
{
	struct operation **at;

	if (!op->on)
		return;
	for (at = &op->on->ops; *at != op; at = &(*at)->next)
		;
	*at = op->next;
	op->on = NULL;
}

static void finish(struct operation *op, HRESULT hr, char *doc)
{
	struct operation **at;

	for (at = &lib.pending; *at != op; at = &(*at)->pending_next)
		;
	*at = op->pending_next;
	op->state = OP_DONE;
	op->hr = hr;
	op->doc = doc;
	op->ended_ms = clock_ms();
	clock_gettime(CLOCK_REALTIME, &op->ended);
	lib_raise(op->fd);
	lib_changed();
}

/* To its own callback, or to that of the handle it was begun with. */
void op_tell(struct operation *op)
{
	void *to = NULL;

	if (op->state != OP_DONE || op->told || op->obj.closed)
		return;
	if (op->fn || op->event_fn)
		to = op;
	else if (op->on && op->on->cb.fn && op->on->cb.options & HcsEventOptionEnableOperationCallbacks)
		to = op->on;
	if (to)
		op->told = notice_add(to, HcsEventOperationCallback, NULL, op) >= 0;
}

void op_complete(struct operation *op, HRESULT hr, char *doc)
{
	if (op->state != OP_PENDING) {
		free(doc);
		return;
	}
	finish(op, hr, doc);
	log_completed(op);
	op_tell(op);
}

void op_refuse(struct operation *op, HRESULT hr, char *doc)
{
	op->told = true;
	finish(op, hr, doc);
	op_detach(op);
}

void op_orphan(struct operation *op)
{
	op_detach(op);
	if (op->state != OP_PENDING)
		return;
	if (op->rq)
		request_forget(op->rq);
	op_complete(op, E_HANDLE, NULL);
}

void op_phase(struct operation *op, const char *phase)
{
	if (op->phase == phase)
		return;
	op->phase = phase;
	op->phase_ms = clock_ms();
	if (op->event_fn && op->event_types & HcsOperationOptionProgressUpdate && op->state == OP_PENDING) {
		char *doc = op_describe(op);

		(void)notice_add(op, HcsEventGroupOperationInfo, doc, op);
		free(doc);
	}
}

/* What nobody took is the process's again, for HcsGetProcessInfo(). */
static void return_streams(struct operation *op)
{
	struct process_handle *h = handle_find(&lib.handles, op->process, OBJ_PROCESS);
	int *fds[] = { &op->info.StdInput, &op->info.StdOutput, &op->info.StdError };

	for (int i = 0; h && i < 3; i++)
		if (h->proc->fds[i] < 0)
			h->proc->fds[i] = take_fd(fds[i]);
}

/* Those who wait for it get E_HANDLE; what it was used for goes on. */
API void HcsCloseOperation(HCS_OPERATION operation)
{
	struct operation *op;
	struct call c;

	if (!operation || FAILED(call_begin(&c, __func__)))
		return;
	op = handle_find(&lib.handles, operation, OBJ_OPERATION);
	if (op) {
		handle_close(&lib.handles, &op->obj);
		op_detach(op);
		return_streams(op);
		if (op->rq)
			request_forget(op->rq);
		if (op->state == OP_PENDING)
			finish(op, E_HANDLE, NULL);
		lib_changed();
		obj_drain(&op->obj);
		obj_unref(op);
	}
	call_end(&c, S_OK);
}

/* ---- what is asked of them -------------------------------------------------------------- */

/* A call about an operation, which is kept until call_end(). */
static struct operation *begin(struct call *c, const char *name, HCS_OPERATION operation, HRESULT *hr)
{
	struct operation *op;

	*hr = call_begin(c, name);
	if (FAILED(*hr))
		return NULL;
	op = handle_find(&lib.handles, operation, OBJ_OPERATION);
	if (!op) {
		*hr = call_end(c, call_refuse(c, operation ? E_HANDLE : E_INVALIDARG, "operation: %s",
					      operation ? "the handle is closed, or never was one" : "is NULL"));
		return NULL;
	}
	c->op = obj_ref(op);
	return op;
}

/* As call_end(), but the operation has nothing to do with the result. */
static HRESULT end(struct call *c, HRESULT hr)
{
	obj_unref(c->op);
	c->op = NULL;
	return call_end(c, hr);
}

API void *HcsGetOperationContext(HCS_OPERATION operation)
{
	struct call c;
	HRESULT hr;
	struct operation *op = begin(&c, __func__, operation, &hr);
	void *context = op ? op->context : NULL;

	if (op)
		end(&c, S_OK);
	return context;
}

API HRESULT HcsSetOperationContext(HCS_OPERATION operation, const void *context)
{
	struct call c;
	HRESULT hr;
	struct operation *op = begin(&c, __func__, operation, &hr);

	if (!op)
		return hr;
	op->context = (void *)(uintptr_t)context;
	return end(&c, S_OK);
}

API HCS_SYSTEM HcsGetComputeSystemFromOperation(HCS_OPERATION operation)
{
	struct call c;
	HRESULT hr;
	struct operation *op = begin(&c, __func__, operation, &hr);
	HCS_SYSTEM system = op ? op->system : NULL;

	if (op && !handle_find(&lib.handles, system, OBJ_SYSTEM))
		system = NULL;
	if (op)
		end(&c, S_OK);
	return system;
}

API HCS_PROCESS HcsGetProcessFromOperation(HCS_OPERATION operation)
{
	struct call c;
	HRESULT hr;
	struct operation *op = begin(&c, __func__, operation, &hr);
	HCS_PROCESS process = op ? op->process : NULL;

	if (op && !handle_find(&lib.handles, process, OBJ_PROCESS))
		process = NULL;
	if (op)
		end(&c, S_OK);
	return process;
}

API HCS_OPERATION_TYPE HcsGetOperationType(HCS_OPERATION operation)
{
	struct call c;
	HRESULT hr;
	struct operation *op = begin(&c, __func__, operation, &hr);
	HCS_OPERATION_TYPE type = op ? op->type : HcsOperationTypeNone;

	if (op)
		end(&c, S_OK);
	return type;
}

API uint64_t HcsGetOperationId(HCS_OPERATION operation)
{
	struct call c;
	HRESULT hr;
	struct operation *op = begin(&c, __func__, operation, &hr);
	uint64_t id = op ? op->id : HCS_INVALID_OPERATION_ID;

	if (op)
		end(&c, S_OK);
	return id;
}

/* ---- results --------------------------------------------------------------------------------- */

/* What the caller gets; the operation may be closed by now. */
static HRESULT result(struct operation *op, HCS_PROCESS_INFORMATION *info, char **doc)
{
	if (op->obj.closed)
		return E_HANDLE;
	if (op->state == OP_NEW)
		return HCS_E_OPERATION_NOT_STARTED;
	if (op->state == OP_PENDING)
		return HCS_E_OPERATION_PENDING;
	if (doc && op->doc) {
		*doc = strdup(op->doc);
		if (!*doc)
			return HCS_E_OPERATION_RESULT_ALLOCATION_FAILED;
	}
	op->told = true;
	if (!info || FAILED(op->hr))
		return op->hr;
	if (!op->has_info)
		return HCS_E_PROCESS_INFO_NOT_AVAILABLE;
	*info = (HCS_PROCESS_INFORMATION){
		.ProcessId = op->info.ProcessId,
		.StdInput = take_fd(&op->info.StdInput),
		.StdOutput = take_fd(&op->info.StdOutput),
		.StdError = take_fd(&op->info.StdError),
	};
	return op->hr;
}

static bool has_completed(void *ctx)
{
	const struct operation *op = ctx;

	return op->obj.closed || op->state != OP_PENDING;
}

enum { DO_NOT_WAIT = -2 };

static HRESULT get_result(const char *name, HCS_OPERATION operation, int64_t timeout_ms, bool with_info,
			  HCS_PROCESS_INFORMATION *info, char **doc)
{
	struct call c;
	HRESULT hr;
	struct operation *op;

	if (doc)
		*doc = NULL;
	if (info)
		*info = (HCS_PROCESS_INFORMATION){ .StdInput = -1, .StdOutput = -1, .StdError = -1 };
	op = begin(&c, name, operation, &hr);
	if (!op)
		return hr;
	if (with_info && op->state != OP_NEW && op->type != HcsOperationTypeCreateProcess &&
	    op->type != HcsOperationTypeGetProcessInfo)
		return end(&c, call_refuse(&c, E_INVALIDARG, "operation: is not that of a process"));
	if (timeout_ms != DO_NOT_WAIT && op->state == OP_PENDING) {
		int64_t until = timeout_ms == INFINITE ? FOREVER : lib_deadline((uint32_t)timeout_ms);

		hr = lib_wait(has_completed, op, until);
		if (FAILED(hr)) {
			const char *phase = op->rq && op->rq->in_engine && op->rq->eop.phase ? op->rq->eop.phase :
											       op->phase;

			return end(&c, call_refuse(&c, hr, "the wait timed out after %u ms; the operation goes on%s%s",
						   (unsigned)timeout_ms, phase ? ": " : "", phase ? phase : ""));
		}
	}
	return end(&c, result(op, info, doc));
}

API HRESULT HcsGetOperationResult(HCS_OPERATION operation, char **resultDocument)
{
	return get_result(__func__, operation, DO_NOT_WAIT, false, NULL, resultDocument);
}

API HRESULT HcsGetOperationResultAndProcessInfo(HCS_OPERATION operation, HCS_PROCESS_INFORMATION *processInformation,
						char **resultDocument)
{
	return get_result(__func__, operation, DO_NOT_WAIT, true, processInformation, resultDocument);
}

API HRESULT HcsWaitForOperationResult(HCS_OPERATION operation, uint32_t timeoutMs, char **resultDocument)
{
	return get_result(__func__, operation, timeoutMs, false, NULL, resultDocument);
}

API HRESULT HcsWaitForOperationResultAndProcessInfo(HCS_OPERATION operation, uint32_t timeoutMs,
						    HCS_PROCESS_INFORMATION *processInformation,
						    char **resultDocument)
{
	return get_result(__func__, operation, timeoutMs, true, processInformation, resultDocument);
}

/* ---- callback, cancel, fds ------------------------------------------------------------------------ */

API HRESULT HcsSetOperationCallback(HCS_OPERATION operation, const void *context, HCS_OPERATION_COMPLETION callback)
{
	struct call c;
	HRESULT hr;
	struct operation *op = begin(&c, __func__, operation, &hr);

	if (!op)
		return hr;
	if (callback && op->on && op->on->cb.options & HcsEventOptionEnableOperationCallbacks)
		return end(&c, call_refuse(&c, HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET,
					   "the handle's callback is told of operations"));
	op->fn = callback;
	op->event_fn = NULL;
	op->context = (void *)(uintptr_t)context;
	op_tell(op);
	obj_drain(&op->obj);
	return end(&c, S_OK);
}

API HRESULT HcsCancelOperation(HCS_OPERATION operation)
{
	struct call c;
	HRESULT hr;
	struct operation *op = begin(&c, __func__, operation, &hr);
	struct request *rq;

	if (!op)
		return hr;
	if (op->state == OP_NEW)
		return end(&c, call_refuse(&c, HCS_E_OPERATION_NOT_STARTED, "operation: was used for no call"));
	if (op->state == OP_DONE)
		return end(&c, S_FALSE);
	rq = op->rq;
	if (rq) {
		request_forget(rq);
		request_cancel(rq);
	}
	op_complete(op, HCS_E_ERROR_CANCELLED, NULL);
	return end(&c, S_OK);
}

API HRESULT HcsGetOperationFd(HCS_OPERATION operation, int *fd)
{
	struct call c;
	HRESULT hr;
	struct operation *op = begin(&c, __func__, operation, &hr);

	if (!op)
		return hr;
	if (!fd)
		return end(&c, call_refuse(&c, E_INVALIDARG, "fd: is NULL"));
	if (op->fd < 0) {
		int r = sys_eventfd(op->state == OP_DONE, EFD_CLOEXEC | EFD_NONBLOCK);

		if (r < 0) {
			err_sys(&c.e, r, "make an eventfd");
			return end(&c, call_failed(&c));
		}
		op->fd = r;
	}
	*fd = op->fd;
	return end(&c, S_OK);
}

API HRESULT HcsAddResourceToOperation(HCS_OPERATION operation, HCS_RESOURCE_TYPE type, const char *uri, int handle)
{
	static const char *const uris[] = { "hcs:/Process/StdIn", "hcs:/Process/StdOut", "hcs:/Process/StdErr" };
	struct call c;
	HRESULT hr;
	struct operation *op = begin(&c, __func__, operation, &hr);

	if (!op)
		return hr;
	if (op->state != OP_NEW)
		return end(&c, call_refuse(&c, HCS_E_OPERATION_ALREADY_STARTED, "operation: was used for a call"));
	if (!uri || handle < 0)
		return end(&c, call_refuse(&c, E_INVALIDARG, uri ? "handle: %d" : "uri: is NULL", handle));
	for (int i = 0; type == HcsResourceTypeFile && i < 3; i++) {
		int fd;

		if (strcmp(uri, uris[i]) != 0)
			continue;
		fd = sys_fcntl(handle, F_DUPFD_CLOEXEC, 3);
		if (fd < 0) {
			err_sys(&c.e, fd, "handle %d", handle);
			return end(&c, call_failed(&c));
		}
		fd_closep(&op->resource[i]);
		op->resource[i] = fd;
		return end(&c, S_OK);
	}
	return end(&c, call_refuse(&c, HCS_E_ERROR_NOT_SUPPORTED, "resource type %d, uri '%s'", (int)type, uri));
}

/* ---- for hcsshim.c -------------------------------------------------------------------------------- */

bool op_is_queued(HCS_OPERATION operation)
{
	struct call c;
	HRESULT hr;
	struct operation *op = begin(&c, __func__, operation, &hr);
	bool queued = op && op->state == OP_PENDING && op->rq && op->type == HcsOperationTypeStart && !op->rq->in_gate;

	if (op)
		end(&c, S_OK);
	return queued;
}
