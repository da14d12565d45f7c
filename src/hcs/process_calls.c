/* What is done to processes: signal, modify, ask; and opening one by its pid. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "berth_shim.pb-c.h"
#include "fd.h"
#include "problems.h"
#include "process.h"
#include "results.h"
#include "schema_requests.h"
#include "str.h"
#include "sys.h"
#include "system.h"
#include "task.pb-c.h"

/* ---- the common part ----------------------------------------------------------------- */

struct row {
	const char *name;
	HCS_OPERATION_TYPE type;
	HRESULT(*check)
	(struct call *c);
	/* `rq` is its own from now on, but on failure */
	HRESULT(*begin)
	(struct call *c, struct request *rq);
};

static HRESULT carry_out(const struct row *row, HCS_PROCESS process, HCS_OPERATION operation, const char *doc)
{
	struct call c;
	HRESULT hr = call_begin(&c, row->name);
	struct request *rq;

	if (FAILED(hr))
		return hr;
	c.doc = doc;
	hr = call_claim(&c, operation, row->type);
	if (SUCCEEDED(hr))
		hr = call_process(&c, process);
	if (SUCCEEDED(hr))
		hr = row->check(&c);
	if (FAILED(hr))
		return call_end(&c, hr);
	rq = request_new(&c);
	if (!rq)
		return call_end(&c, E_OUTOFMEMORY);
	hr = row->begin(&c, rq);
	return call_end(&c, FAILED(hr) ? request_refuse(rq, &c, hr) : hr);
}

/* The document is wrong: that is for the operation to say. */
static HRESULT bad_document(struct request *rq, const struct err *e)
{
	request_end(rq, document_result(e), e, NULL);
	return S_OK;
}

static HRESULT ask(struct call *c, struct request *rq, const char *method, const ProtobufCMessage *m,
		   request_next next)
{
	return request_call(rq, method, m, next, &c->e) < 0 ? call_failed(c) : S_OK;
}

static void on_done(struct request *rq, int r, const struct err *e)
{
	HRESULT hr = r >= 0 ? S_OK : e->kind == ERR_NOT_FOUND ? HCS_E_PROCESS_ALREADY_STOPPED : result_of(e);

	request_end(rq, hr, e, NULL);
}

/* ---- signals ----------------------------------------------------------------------------- */

static HRESULT send_signal(struct call *c, struct request *rq, int signal)
{
	Containerd__Task__V2__KillRequest m = CONTAINERD__TASK__V2__KILL_REQUEST__INIT;

	m.id = rq->sys->id;
	m.exec_id = rq->proc->exec_id;
	m.signal = (uint32_t)signal;
	return ask(c, rq, "Kill", &m.base, on_done);
}

static HRESULT begin_terminate(struct call *c, struct request *rq)
{
	HRESULT hr = no_options(c, c->doc);

	return FAILED(hr) ? hr : send_signal(c, rq, SIGKILL);
}

API HRESULT HcsTerminateProcess(HCS_PROCESS process, HCS_OPERATION operation, const char *options)
{
	static const struct row row = { "HcsTerminateProcess", HcsOperationTypeSignalProcess, process_check,
					begin_terminate };

	return carry_out(&row, process, operation, options);
}

static HRESULT begin_signal(struct call *c, struct request *rq)
{
	const struct schema_source src = { .text = c->doc, .len = c->doc ? strlen(c->doc) : 0, .name = "options" };
	struct schema_signal *doc;

	if (schema_parse_signal(&rq->a, &src, &doc, &c->e) < 0)
		return bad_document(rq, &c->e);
	return send_signal(c, rq, doc->signal);
}

API HRESULT HcsSignalProcess(HCS_PROCESS process, HCS_OPERATION operation, const char *options)
{
	static const struct row row = { "HcsSignalProcess", HcsOperationTypeSignalProcess, process_check,
					begin_signal };

	return carry_out(&row, process, operation, options);
}

/* ---- modify ---------------------------------------------------------------------------------- */

static HRESULT resize(struct call *c, struct request *rq, const struct schema_process_modify *doc)
{
	Containerd__Task__V2__ResizePtyRequest m = CONTAINERD__TASK__V2__RESIZE_PTY_REQUEST__INIT;

	m.id = rq->sys->id;
	m.exec_id = rq->proc->exec_id;
	m.width = doc->width;
	m.height = doc->height;
	return ask(c, rq, "ResizePty", &m.base, on_done);
}

/* Ours, which nobody has taken, and the shim's. */
static HRESULT close_handle(struct call *c, struct request *rq, int handle)
{
	Containerd__Task__V2__CloseIORequest m = CONTAINERD__TASK__V2__CLOSE_IOREQUEST__INIT;
	struct process *p = rq->proc;

	for (int i = 0; i < 3; i++)
		if (handle == SCHEMA_HANDLE_ALL || handle == SCHEMA_HANDLE_STDIN + i)
			fd_closep(&p->fds[i]);
	if (handle != SCHEMA_HANDLE_ALL && handle != SCHEMA_HANDLE_STDIN) {
		request_end(rq, S_OK, NULL, NULL);
		return S_OK;
	}
	m.id = rq->sys->id;
	m.exec_id = p->exec_id;
	m.stdin = true;
	return ask(c, rq, "CloseIO", &m.base, on_done);
}

static HRESULT begin_modify(struct call *c, struct request *rq)
{
	const struct schema_source src = { .text = c->doc, .len = c->doc ? strlen(c->doc) : 0, .name = "settings" };
	struct schema_process_modify *doc;

	if (schema_parse_process_modify(&rq->a, &src, &doc, &c->e) < 0)
		return bad_document(rq, &c->e);
	return doc->operation == SCHEMA_PROCESS_CONSOLE_SIZE ? resize(c, rq, doc) : close_handle(c, rq, doc->handle);
}

API HRESULT HcsModifyProcess(HCS_PROCESS process, HCS_OPERATION operation, const char *settings)
{
	static const struct row row = { "HcsModifyProcess", HcsOperationTypeModifyProcess, process_check,
					begin_modify };

	return carry_out(&row, process, operation, settings);
}

/* ---- asking ------------------------------------------------------------------------------------- */

static HRESULT check_made(struct call *c)
{
	if (c->proc->failed || c->proc->creating)
		return process_check(c);
	if (!lib.driven)
		(void)loop_dispatch(&lib.loop); /* it may have ended, and we not have heard of it */
	return S_OK;
}

static HRESULT begin_properties(struct call *c, struct request *rq)
{
	HRESULT hr = no_options(c, c->doc);
	char *doc;

	if (FAILED(hr))
		return hr;
	doc = process_status(rq->proc);
	request_end(rq, doc ? S_OK : E_OUTOFMEMORY, NULL, doc);
	return S_OK;
}

API HRESULT HcsGetProcessProperties(HCS_PROCESS process, HCS_OPERATION operation, const char *propertyQuery)
{
	static const struct row row = { "HcsGetProcessProperties", HcsOperationTypeGetProcessProperties, check_made,
					begin_properties };

	return carry_out(&row, process, operation, propertyQuery);
}

static void give_info(struct request *rq)
{
	struct process *p = rq->proc;

	if (rq->op) {
		rq->op->has_info = true;
		rq->op->info = (HCS_PROCESS_INFORMATION){
			.ProcessId = p->pid,
			.StdInput = take_fd(&p->fds[0]),
			.StdOutput = take_fd(&p->fds[1]),
			.StdError = take_fd(&p->fds[2]),
		};
	}
	request_end(rq, S_OK, NULL, NULL);
}

/* The shim may have streams that nobody fetched. If not: there are none to give. */
static void on_streams(struct request *rq, int r, const struct err *e)
{
	struct err mine;

	if (r >= 0 && process_take_streams(rq->proc, &rq->eop, &mine) < 0)
		request_end(rq, result_of(&mine), &mine, NULL);
	else
		give_info(rq);
}

static HRESULT begin_info(struct call *c, struct request *rq)
{
	Berth__Shim__V1__StdioRequest m = BERTH__SHIM__V1__STDIO_REQUEST__INIT;
	const struct process *p = rq->proc;
	struct err e;

	m.id = rq->sys->id;
	m.exec_id = p->exec_id;
	if (p->fds[0] >= 0 || p->fds[1] >= 0 || p->fds[2] >= 0 || p->cleaned ||
	    request_call(rq, "Stdio", &m.base, on_streams, &e) < 0)
		give_info(rq);
	return S_OK;
}

API HRESULT HcsGetProcessInfo(HCS_PROCESS process, HCS_OPERATION operation)
{
	static const struct row row = { "HcsGetProcessInfo", HcsOperationTypeGetProcessInfo, check_made, begin_info };

	return carry_out(&row, process, operation, NULL);
}

/* ---- open ------------------------------------------------------------------------------------------ */

struct asking {
	bool done;
	int r;
	struct err e;
	Berth__Shim__V1__PropertiesResponse *m;
};

static void on_asked(struct request *rq, int r, const struct err *e)
{
	struct asking *k = rq->mine;

	k->done = true;
	k->r = r;
	if (r < 0)
		k->e = *e;
	else
		k->m = berth__shim__v1__properties_response__unpack(NULL, rq->eop.len, rq->eop.payload);
	request_end(rq, S_OK, NULL, NULL);
}

static bool is_asked(void *ctx)
{
	return ((struct asking *)ctx)->done;
}

/* What the shim says of the system's processes, waited for. NULL: c->e says why. */
static Berth__Shim__V1__PropertiesResponse *ask_shim(struct call *c)
{
	Berth__Shim__V1__PropertiesRequest q = BERTH__SHIM__V1__PROPERTIES_REQUEST__INIT;
	struct asking k = { 0 };
	struct request *rq = request_for(c->sys, c->proc);

	if (!rq) {
		call_nomem(c);
		return NULL;
	}
	rq->mine = &k;
	q.id = c->sys->id;
	if (request_call(rq, "Properties", &q.base, on_asked, &c->e) < 0) {
		request_end(rq, S_OK, NULL, NULL);
		return NULL;
	}
	lib_wait(is_asked, &k, FOREVER); /* the engine has a bound for it */
	if (!k.m)
		c->e = k.e;
	if (!k.m && k.r >= 0)
		call_nomem(c);
	return k.m;
}

static struct process *adopt(struct system *s, const Berth__Shim__V1__ProcessProperties *m, bool is_first)
{
	const char *exec_id = is_first ? "" : m->exec_id;
	struct process *p = process_find(s, exec_id);

	if (p)
		return process_ref(p);
	p = process_new(s, exec_id);
	if (!p)
		return NULL;
	p->pid = m->pid;
	p->started = true;
	return p;
}

/* The one that lives, else the last of those that had the pid: whose creator has gone,
 * so that nobody has deleted it. */
static const Berth__Shim__V1__ProcessProperties *choose(const Berth__Shim__V1__PropertiesResponse *m, uint32_t pid,
							bool ended_too)
{
	const Berth__Shim__V1__ProcessProperties *ended = NULL;

	for (size_t i = 0; i < m->n_processes; i++) {
		const Berth__Shim__V1__ProcessProperties *at = m->processes[i];

		if ((pid ? at->pid != pid : i > 0) || !at->pid)
			continue;
		if (strcmp(at->state, "stopped") != 0)
			return at;
		if (ended_too && at->exited_at && (!ended || at->exited_at->seconds >= ended->exited_at->seconds))
			ended = at;
	}
	return ended;
}

static HRESULT find(struct call *c, uint32_t pid, bool ended_too, struct process **ret)
{
	Berth__Shim__V1__PropertiesResponse *m = ask_shim(c);
	const Berth__Shim__V1__ProcessProperties *at;
	HRESULT hr = S_OK;

	*ret = NULL;
	if (!m)
		return call_failed(c);
	at = choose(m, pid, ended_too);
	if (at)
		*ret = adopt(c->sys, at, at == m->processes[0]);
	if (!at)
		hr = call_refuse(c, HCS_E_ERROR_NOT_FOUND, "no process of the system has the pid %u", pid);
	else if (!*ret)
		hr = call_nomem(c);
	else if (!strcmp(at->state, "stopped"))
		process_ended(*ret, at);
	berth__shim__v1__properties_response__free_unpacked(m, NULL);
	return hr;
}

API HRESULT HcsOpenProcess(HCS_SYSTEM computeSystem, uint32_t processId, uint32_t requestedAccess, HCS_PROCESS *process)
{
	struct process_handle *h;
	struct process *p = NULL;
	struct call c;
	HRESULT hr = call_begin(&c, __func__);

	if (process)
		*process = NULL;
	if (FAILED(hr))
		return hr;
	hr = call_system(&c, computeSystem);
	if (SUCCEEDED(hr) && (!process || requestedAccess != GENERIC_ALL))
		hr = call_refuse(&c, E_INVALIDARG, process ? "requestedAccess: 0x%x" : "process: is NULL",
				 requestedAccess);
	if (SUCCEEDED(hr))
		hr = system_check(&c, SYS_CALL_PROCESS);
	if (SUCCEEDED(hr))
		hr = find(&c, processId, true, &p);
	if (FAILED(hr))
		return call_end(&c, hr);
	h = process_open(p);
	process_unref(p);
	if (h)
		*process = h->w.obj.handle;
	return call_end(&c, h ? S_OK : call_nomem(&c));
}

/* ---- pidfd ------------------------------------------------------------------------------------------- */

/* Opened, and only then asked for: the pid was this process's all that time. */
static HRESULT open_pidfd(struct call *c, int *ret)
{
	struct process *found;
	OWN_FD fd = sys_pidfd_open((pid_t)c->proc->pid, 0);
	HRESULT hr;

	if (fd == -ESRCH)
		return call_refuse(c, HCS_E_PROCESS_ALREADY_STOPPED, "the process has ended");
	if (fd < 0) {
		err_sys(&c->e, fd, "open the pidfd of %u", c->proc->pid);
		return call_failed(c);
	}
	hr = find(c, c->proc->pid, false, &found);
	if (FAILED(hr))
		return hr == HCS_E_ERROR_NOT_FOUND ? HCS_E_PROCESS_ALREADY_STOPPED : hr;
	process_unref(found);
	*ret = take_fd(&fd);
	return S_OK;
}

API HRESULT HcsGetProcessFd(HCS_PROCESS process, int *fd)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);
	int got = -1;

	if (FAILED(hr))
		return hr;
	hr = call_process(&c, process);
	if (SUCCEEDED(hr) && !fd)
		hr = call_refuse(&c, E_INVALIDARG, "fd: is NULL");
	if (SUCCEEDED(hr) && c.ph->w.fd < 0) {
		hr = process_check(&c);
		if (SUCCEEDED(hr))
			hr = open_pidfd(&c, &got);
		if (SUCCEEDED(hr) && (c.ph->w.obj.closed || c.ph->w.fd >= 0))
			fd_closep(&got); /* another thread was faster */
		if (SUCCEEDED(hr) && got >= 0)
			c.ph->w.fd = got;
		if (SUCCEEDED(hr) && c.ph->w.obj.closed)
			hr = call_refuse(&c, E_HANDLE, "the handle was closed meanwhile");
	}
	if (SUCCEEDED(hr))
		*fd = c.ph->w.fd;
	return call_end(&c, hr);
}
