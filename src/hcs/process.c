/* Processes and their handles. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "berth_shim.pb-c.h"
#include "clock.h"
#include "fd.h"
#include "json.h"
#include "log_calls.h"
#include "schema_reply.h"
#include "str.h"
#include "sys.h"
#include "system.h"
#include "task.pb-c.h"

/* ---- life ------------------------------------------------------------------------- */

struct process *process_new(struct system *s, const char *exec_id)
{
	struct process *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->refs = 1;
	p->exec_id = strdup(exec_id);
	if (!p->exec_id) {
		free(p);
		return NULL;
	}
	for (int i = 0; i < 3; i++)
		p->fds[i] = -1;
	p->sys = system_ref(s);
	p->next = s->processes;
	s->processes = p;
	return p;
}

struct process *process_ref(struct process *p)
{
	p->refs++;
	return p;
}

void process_unref(struct process *p)
{
	struct process **at;

	if (--p->refs)
		return;
	for (at = &p->sys->processes; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	system_unref(p->sys);
	for (int i = 0; i < 3; i++)
		fd_closep(&p->fds[i]);
	free(p->exit_doc);
	free(p->exec_id);
	free(p);
}

struct process *process_find(const struct system *s, const char *exec_id)
{
	struct process *p;

	for (p = s->processes; p; p = p->next)
		if (!strcmp(p->exec_id, exec_id))
			break;
	return p;
}

/* ---- handles ---------------------------------------------------------------------------- */

static void release(struct obj *o)
{
	struct process_handle *h = (struct process_handle *)o;

	fd_closep(&h->w.fd);
	process_unref(h->proc);
	free(h);
}

struct process_handle *process_open(struct process *p)
{
	struct process_handle *h = calloc(1, sizeof *h);

	if (!h)
		return NULL;
	if (handle_open(&lib.handles, &h->w.obj, OBJ_PROCESS, release) < 0) {
		free(h);
		return NULL;
	}
	h->w.fd = -1;
	h->proc = process_ref(p);
	h->next = p->handles;
	p->handles = h;
	return h;
}

static void unlink_handle(struct process_handle *h)
{
	struct process_handle **at;

	for (at = &h->proc->handles; *at != h; at = &(*at)->next)
		;
	*at = h->next;
}

void process_forget(struct process_handle *h)
{
	unlink_handle(h);
	handle_close(&lib.handles, &h->w.obj);
	while (h->w.ops)
		op_detach(h->w.ops);
	obj_unref(h);
}

API void HcsCloseProcess(HCS_PROCESS process)
{
	struct process_handle *h;
	struct call c;

	if (!process || FAILED(call_begin(&c, __func__)))
		return;
	h = handle_find(&lib.handles, process, OBJ_PROCESS);
	if (h) {
		c.ph = obj_ref(h);
		c.proc = h->proc;
		c.sys = h->proc->sys;
		log_begin(&c);
		unlink_handle(h);
		watcher_close(&h->w);
		system_settle(c.sys);
		obj_unref(h);
	}
	call_end(&c, S_OK);
}

static void tell(struct process_handle *h)
{
	const struct process *p = h->proc;

	if (!h->w.cb.fn)
		return;
	if (p->lost && !(h->w.told & TELL_DISCONNECT) &&
	    notice_add(h, HcsEventServiceDisconnect, NULL, NULL) >= 0)
		h->w.told |= TELL_DISCONNECT;
	if (p->exited && !(h->w.told & TELL_EXIT) && notice_add(h, HcsEventProcessExited, p->exit_doc, NULL) >= 0)
		h->w.told |= TELL_EXIT;
}

void process_tell(struct process *p)
{
	for (struct process_handle *h = p->handles; h; h = h->next)
		tell(h);
	lib_changed();
}

API HRESULT HcsSetProcessCallback(HCS_PROCESS process, HCS_EVENT_OPTIONS callbackOptions, void *context,
				  HCS_EVENT_CALLBACK callback)
{
	const struct callback cb = { callback, context, callbackOptions };
	struct call c;
	HRESULT hr = call_begin(&c, __func__);

	if (FAILED(hr))
		return hr;
	hr = call_process(&c, process);
	if (SUCCEEDED(hr))
		hr = check_callback_options(&c, callbackOptions);
	if (SUCCEEDED(hr)) {
		watcher_set(&c.ph->w, &cb);
		if (!c.ph->w.obj.closed)
			tell(c.ph);
	}
	return call_end(&c, hr);
}

/* ---- the end ------------------------------------------------------------------------------- */

char *process_status(const struct process *p)
{
	const struct schema_process_status doc = {
		.process_id = p->pid,
		.exited = p->exited,
		.exit_code = p->exit_status,
		.last_wait_result = p->lost ? HCS_E_SERVICE_DISCONNECT : S_OK,
		.has_signal = p->exited && p->exit_signal,
		.signal = (int32_t)p->exit_signal,
		.has_core_dumped = p->core_dumped,
		.core_dumped = p->core_dumped,
		.has_oom_killed = p->oom,
		.oom_killed = p->oom,
	};
	struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	schema_write_process_status(&w, &doc);
	if (b.failed)
		sb_done(&b);
	return b.failed ? NULL : b.s;
}

void process_over(struct process *p, uint32_t status, uint32_t signal, bool core_dumped, bool oom)
{
	if (p->exited)
		return;
	p->exit_status = status;
	p->exit_signal = signal;
	p->core_dumped = core_dumped;
	p->oom = oom;
	p->exiting = false;
	p->exited = true;
	p->exit_doc = process_status(p);
	process_tell(p);
	process_clean_up(p);
	system_settle(p->sys);
}

static const Berth__Shim__V1__ProcessProperties *find(const Berth__Shim__V1__PropertiesResponse *m, const char *exec_id)
{
	for (size_t i = 0; i < m->n_processes; i++)
		if (!strcmp(m->processes[i]->exec_id, exec_id))
			return m->processes[i];
	return NULL;
}

void process_ended(struct process *p, const Berth__Shim__V1__ProcessProperties *at)
{
	process_over(p, at->exit_status, at->exit_signal, at->core_dumped,
		     at->exit_signal == SIGKILL && !at->kill_signal && at->oom_kills > p->oom_before);
}

static void on_properties(struct request *rq, int r, const struct err *e)
{
	const Berth__Shim__V1__ProcessProperties *at = NULL;
	Berth__Shim__V1__PropertiesResponse *m = NULL;
	struct process *p = rq->proc;

	if (r >= 0)
		m = berth__shim__v1__properties_response__unpack(NULL, rq->eop.len, rq->eop.payload);
	if (m)
		at = find(m, p->exec_id);
	if (at)
		process_ended(p, at);
	else
		process_over(p, p->exit_status, 0, false, false);
	if (m)
		berth__shim__v1__properties_response__free_unpacked(m, NULL);
	request_end(rq, S_OK, NULL, NULL);
}

/* A status above 128 may be a signal, or what it said itself: the shim knows. */
static void ask(struct process *p)
{
	Berth__Shim__V1__PropertiesRequest m = BERTH__SHIM__V1__PROPERTIES_REQUEST__INIT;
	struct request *rq = request_for(p->sys, p);
	struct err e;

	m.id = p->sys->id;
	if (rq && request_call(rq, "Properties", &m.base, on_properties, &e) >= 0)
		return;
	process_over(p, p->exit_status, 0, false, false);
	if (rq)
		request_end(rq, S_OK, NULL, NULL);
}

void process_exited(struct system *s, const char *exec_id, uint32_t status)
{
	struct process *p = process_find(s, exec_id);

	if (!p || p->exited || p->exiting)
		return;
	p->exit_status = status;
	p->exiting = true;
	if (!p->started)
		return; /* before the answer that tells its pid: see process_create.c */
	process_ref(p);
	if (status > 128)
		ask(p);
	else
		process_over(p, status, 0, false, false);
	process_unref(p);
}

/* A handle on it may have been made after it was told. */
void process_over_with_system(struct process *p)
{
	const struct system *s = p->sys;

	if (s->exited && !*p->exec_id)
		process_over(p, s->exit_status, s->exit_signal, s->core_dumped, s->oom);
}

/* Their exits were told before the system's; if not, the shim is gone. */
void processes_over(struct system *s, bool lost)
{
	struct process *next;

	for (struct process *p = s->processes; p; p = next) {
		next = p->next;
		if (p->exited || (p->exiting && !lost))
			continue;
		process_ref(p);
		p->lost = lost;
		if (!lost)
			process_over_with_system(p);
		process_over(p, lost ? 255 : 137, lost ? 0 : SIGKILL, false, false);
		next = p->next;
		process_unref(p);
	}
}

static void on_cleaned(struct request *rq, int r, const struct err *e)
{
	request_end(rq, S_OK, NULL, NULL);
}

void process_clean_up(struct process *p)
{
	if (p->ours && p->exited && !p->creating && !p->sys->exited)
		process_delete(p);
}

void process_delete(struct process *p)
{
	Containerd__Task__V2__DeleteRequest m = CONTAINERD__TASK__V2__DELETE_REQUEST__INIT;
	struct request *rq;
	struct err e;

	if (!p->ours || p->cleaned || !p->sys->task)
		return;
	p->cleaned = true;
	rq = request_for(p->sys, p);
	m.id = p->sys->id;
	m.exec_id = p->exec_id;
	if (rq && request_call(rq, "Delete", &m.base, on_cleaned, &e) < 0)
		request_end(rq, S_OK, NULL, NULL);
}

/* ---- streams --------------------------------------------------------------------------------- */

/* The fds come in order, those that are there. */
int process_take_streams(struct process *p, struct engine_op *answer, struct err *e)
{
	Berth__Shim__V1__StdioResponse *m;
	bool missing = false;
	int n = 0;

	m = berth__shim__v1__stdio_response__unpack(NULL, answer->len, answer->payload);
	for (int i = 0; m && i < 3; i++) {
		const bool has[] = { m->stdin, m->stdout, m->stderr };

		if (!has[i] || n == 3)
			continue;
		missing = missing || answer->fds[n] < 0;
		fd_closep(&p->fds[i]);
		p->fds[i] = take_fd(&answer->fds[n++]);
	}
	for (int i = 0; i < 3; i++)
		fd_closep(&answer->fds[i]);
	if (!m)
		return err_sys(e, -EPROTO, "fetch the streams of the process");
	p->terminal = m->terminal;
	if (m->terminal && p->fds[0] < 0 && p->fds[1] >= 0) {
		p->fds[0] = sys_fcntl(p->fds[1], F_DUPFD_CLOEXEC, 3);
		missing = missing || p->fds[0] < 0;
	}
	berth__shim__v1__stdio_response__free_unpacked(m, NULL);
	/* The kernel lets them fall where this process may have no more. */
	return missing ? err_sys(e, -EMFILE, "fetch the streams of the process") : 0;
}

/* ---- waiting ----------------------------------------------------------------------------------- */

static bool is_over(void *ctx)
{
	const struct process_handle *h = ctx;

	return h->w.obj.closed || h->proc->exited || h->proc->failed;
}

HRESULT process_check(struct call *c)
{
	const struct process *p = c->proc;

	if (p->failed)
		return call_refuse(c, HCS_E_ERROR_NOT_FOUND, "the process was not created");
	if (p->creating)
		return call_refuse(c, HCS_E_OPERATION_PENDING, "the process is being created");
	if (p->lost)
		return call_refuse(c, HCS_E_SERVICE_DISCONNECT, "the system's shim died");
	if (p->exited)
		return call_refuse(c, HCS_E_PROCESS_ALREADY_STOPPED, "the process has ended");
	return S_OK;
}

API HRESULT HcsWaitForProcessExit(HCS_PROCESS process, uint32_t timeoutMs, char **result)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);

	if (result)
		*result = NULL;
	if (FAILED(hr))
		return hr;
	hr = call_process(&c, process);
	if (FAILED(hr))
		return call_end(&c, hr);
	hr = lib_wait(is_over, c.ph, lib_deadline(timeoutMs));
	if (FAILED(hr))
		return call_end(&c, call_refuse(&c, hr, "the process has not ended after %u ms", timeoutMs));
	if (c.ph->w.obj.closed)
		return call_end(&c, call_refuse(&c, E_HANDLE, "the handle was closed meanwhile"));
	if (c.proc->failed)
		return call_end(&c, process_check(&c));
	if (result && c.proc->exit_doc) {
		*result = strdup(c.proc->exit_doc);
		if (!*result)
			return call_end(&c, HCS_E_OPERATION_RESULT_ALLOCATION_FAILED);
	}
	if (c.proc->lost)
		return call_end(&c, call_refuse(&c, HCS_E_SERVICE_DISCONNECT, "the system's shim died"));
	return call_end(&c, S_OK);
}
