/*
 * HcsCreateProcess(): Exec, Start and Stdio of the shim, one after the other. Its
 * streams are fetched before anybody hears of it, so that nothing of a process is
 * lost however short it lives.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "berth_shim.pb-c.h"
#include "fd.h"
#include "host.h"
#include "problems.h"
#include "process.h"
#include "results.h"
#include "schema_oci.h"
#include "sys.h"
#include "system.h"
#include "task.pb-c.h"
#include "wellknown.pb-c.h"

struct making { /* in the request's arena */
	struct schema_process *doc;
	char stdio[3][48];
	bool held[3];
	bool left; /* the terminal is to stay with the shim, for who asks for it later */
	HRESULT hr; /* why it is undone */
	struct err why;
};

/* ---- the end ------------------------------------------------------------------------ */

static void finish(struct request *rq, HRESULT hr, const struct err *e)
{
	struct process *p = rq->proc;
	struct operation *op = rq->op;

	p->creating = false;
	if (SUCCEEDED(hr) && op) {
		op->has_info = true;
		op->pid = p->pid;
		op->info = (HCS_PROCESS_INFORMATION){
			.ProcessId = p->pid,
			.StdInput = take_fd(&p->fds[0]),
			.StdOutput = take_fd(&p->fds[1]),
			.StdError = take_fd(&p->fds[2]),
		};
	}
	if (FAILED(hr) && (p->ours || !p->started)) /* others may have the system's first one */
		p->failed = true;
	process_clean_up(p);
	request_end(rq, hr, e, NULL);
	lib_changed();
}

static void on_undone(struct request *rq, int r, const struct err *e)
{
	const struct making *m = rq->mine;

	finish(rq, m->hr, &m->why);
}

/* Nobody wants it, or nobody could have its streams: killed if it runs, and deleted
 * when it has ended. The system's first process was not made here. */
static void undo(struct request *rq, HRESULT hr, const struct err *why)
{
	Containerd__Task__V2__KillRequest q = CONTAINERD__TASK__V2__KILL_REQUEST__INIT;
	struct making *m = rq->mine;
	struct process *p = rq->proc;
	struct err e;

	m->hr = hr;
	if (why)
		m->why = *why;
	if (!p->started)
		process_delete(p);
	q.id = rq->sys->id;
	q.exec_id = p->exec_id;
	q.signal = SIGKILL;
	if (!p->started || !p->ours || request_call(rq, "Kill", &q.base, on_undone, &e) < 0)
		finish(rq, m->hr, &m->why);
}

/* ---- the steps -------------------------------------------------------------------------- */

static void on_streams(struct request *rq, int r, const struct err *e)
{
	struct err mine;

	if (r >= 0) {
		r = process_take_streams(rq->proc, &rq->eop, &mine);
		e = &mine;
	}
	if (rq->cancelled)
		undo(rq, HCS_E_ERROR_CANCELLED, NULL);
	else if (r < 0)
		undo(rq, result_of(e), e);
	else
		finish(rq, S_OK, NULL);
}

static void fetch_streams(struct request *rq)
{
	Berth__Shim__V1__StdioRequest m = BERTH__SHIM__V1__STDIO_REQUEST__INIT;
	struct err e;

	m.id = rq->sys->id;
	m.exec_id = rq->proc->exec_id;
	if (request_call(rq, "Stdio", &m.base, on_streams, &e) < 0)
		undo(rq, result_of(&e), &e);
}

static void on_started(struct request *rq, int r, const struct err *e)
{
	const struct making *m = rq->mine;
	struct process *p = rq->proc;
	Containerd__Task__V2__StartResponse *answer;

	if (r < 0) {
		process_delete(p); /* what never ran has ended, but is still there */
		finish(rq, system_refused(rq->sys, e), e);
		return;
	}
	answer = containerd__task__v2__start_response__unpack(NULL, rq->eop.len, rq->eop.payload);
	if (answer) {
		p->pid = answer->pid;
		containerd__task__v2__start_response__free_unpacked(answer, NULL);
	}
	p->started = true;
	if (p->exiting) { /* the event was faster than the answer */
		p->exiting = false;
		process_exited(rq->sys, p->exec_id, p->exit_status);
	}
	if ((m->held[0] || m->held[1] || m->held[2]) && !m->left)
		fetch_streams(rq);
	else if (rq->cancelled)
		undo(rq, HCS_E_ERROR_CANCELLED, NULL);
	else
		finish(rq, S_OK, NULL);
}

static void on_added(struct request *rq, int r, const struct err *e)
{
	Containerd__Task__V2__StartRequest m = CONTAINERD__TASK__V2__START_REQUEST__INIT;
	struct err mine;

	if (r < 0) {
		finish(rq, system_refused(rq->sys, e), e);
		return;
	}
	if (rq->cancelled) {
		undo(rq, HCS_E_ERROR_CANCELLED, NULL);
		return;
	}
	m.id = rq->sys->id;
	m.exec_id = rq->proc->exec_id;
	if (request_call(rq, "Start", &m.base, on_started, &mine) < 0)
		finish(rq, result_of(&mine), &mine);
}

/* ---- the document ------------------------------------------------------------------------------ */

/* By the container's own files. */
static int find_user(struct request *rq, const char *name, struct schema_user *ret, struct err *e)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/%u/root", rq->sys->task->now.pid);
	return host_find_user(&rq->a, path, name, ret, e);
}

static int translate(struct request *rq, struct schema_text *text, struct err *e)
{
	struct making *m = rq->mine;
	struct schema_user user = { 0 };
	int r = 0;

	if (m->doc->user_name)
		r = find_user(rq, m->doc->user_name, &user, e);
	if (r >= 0)
		r = schema_oci_process(&rq->a, m->doc, m->doc->user_name ? &user : NULL, text, e);
	return r;
}

static char *stdio_of(struct request *rq, int i, bool wanted)
{
	struct making *m = rq->mine;
	int fd = rq->resource[i];

	m->held[i] = wanted && fd < 0;
	if (fd >= 0)
		snprintf(m->stdio[i], sizeof m->stdio[i], "/proc/%u/fd/%d", (unsigned)getpid(), fd);
	else if (wanted)
		snprintf(m->stdio[i], sizeof m->stdio[i], "held://");
	return m->stdio[i];
}

static int add(struct request *rq, struct err *e)
{
	Containerd__Task__V2__ExecProcessRequest q = CONTAINERD__TASK__V2__EXEC_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any spec = GOOGLE__PROTOBUF__ANY__INIT;
	struct making *m = rq->mine;
	const struct schema_process *doc = m->doc;
	struct schema_text text = { 0 };
	int r = translate(rq, &text, e);

	if (r < 0) {
		m->hr = document_result(e);
		return r;
	}
	spec.type_url = (char *)(uintptr_t) "types.containerd.io/opencontainers/runtime-spec/1/Process";
	spec.value.data = (uint8_t *)text.text;
	spec.value.len = text.len;
	q.id = rq->sys->id;
	q.exec_id = rq->proc->exec_id;
	q.terminal = doc->emulate_console || (doc->oci && doc->oci->terminal);
	q.stdin = stdio_of(rq, 0, doc->create_stdin);
	q.stdout = stdio_of(rq, 1, doc->create_stdout || q.terminal);
	q.stderr = stdio_of(rq, 2, doc->create_stderr && !q.terminal);
	q.spec = &spec;
	m->left = q.terminal && !doc->create_stdin && !doc->create_stdout && !doc->create_stderr;
	return request_call(rq, "Exec", &q.base, on_added, e);
}

/* ---- a system's own first process ------------------------------------------------------------------ */

static int first(struct request *rq, struct err *e)
{
	struct making *m = rq->mine;
	struct process *p = rq->proc;

	if (!rq->sys->meta.own_command) {
		m->hr = HCS_E_INVALID_JSON;
		return err_set(e, ERR_INVALID, 0,
			       "process parameters: one of CommandLine, CommandArgs and OciProcess is needed");
	}
	p->pid = rq->sys->task->now.pid;
	p->started = true;
	process_over_with_system(p);
	fetch_streams(rq);
	return 0;
}

/* ---- the call --------------------------------------------------------------------------------------- */

static int carry_out(struct request *rq, struct err *e)
{
	struct making *m = rq->mine;

	rq->proc->creating = rq->proc->ours;
	return m->doc->command == SCHEMA_COMMAND_INIT ? first(rq, e) : add(rq, e);
}

static struct process *process_for(struct system *s, enum schema_command command)
{
	char name[48];
	struct process *p;

	if (command == SCHEMA_COMMAND_INIT) {
		p = process_find(s, "");
		return p ? process_ref(p) : process_new(s, "");
	}
	snprintf(name, sizeof name, "hcs-%s-%llu", lib.instance, (unsigned long long)++lib.last_exec);
	p = process_new(s, name);
	if (p)
		p->ours = true;
	return p;
}

/* Everything that is needed of memory; then what is wrong is the operation's. */
static HRESULT prepare(struct call *c, struct schema_process *doc, struct request **ret, HCS_PROCESS *ret_handle)
{
	struct process *p = process_for(c->sys, doc ? doc->command : SCHEMA_COMMAND_ARGS);
	struct process_handle *h = p ? process_open(p) : NULL;
	struct request *rq;

	if (p)
		process_unref(p); /* it is the handle's */
	if (!h)
		return call_nomem(c);
	c->proc = h->proc;
	rq = request_new(c);
	c->proc = NULL;
	if (!rq) {
		process_forget(h);
		return E_OUTOFMEMORY;
	}
	rq->mine = arena_alloc(&rq->a, sizeof(struct making));
	if (!rq->mine) {
		process_forget(h);
		request_refuse(rq, c, E_OUTOFMEMORY);
		return call_nomem(c);
	}
	c->proc = h->proc;
	c->ph = obj_ref(h);
	c->op->process = h->w.obj.handle;
	*ret_handle = h->w.obj.handle;
	*ret = rq;
	return S_OK;
}

static HRESULT create_process(struct call *c, const char *parameters, HCS_PROCESS *ret)
{
	const struct schema_source src = {
		.text = parameters,
		.len = strlen(parameters),
		.name = "process parameters",
	};
	OWN_ARENA struct arena a = ARENA_INIT;
	struct schema_process *doc = NULL;
	struct request *rq = NULL;
	struct making *m;
	struct err e = { 0 };
	int r = schema_parse_process(&a, &src, &doc, &e);
	bool attach = r >= 0 && doc->command == SCHEMA_COMMAND_INIT;
	HRESULT hr = system_check(c, attach ? SYS_CALL_ATTACH : SYS_CALL_PROCESS);

	if (SUCCEEDED(hr))
		hr = prepare(c, r < 0 ? NULL : doc, &rq, ret);
	if (FAILED(hr))
		return hr;
	m = rq->mine;
	if (r < 0) {
		m->hr = document_result(&e);
	} else {
		m->doc = doc;
		r = carry_out(rq, &e);
	}
	m->doc = NULL;
	if (r < 0)
		finish(rq, m->hr ? m->hr : result_of(&e), &e);
	return S_OK;
}

API HRESULT HcsCreateProcess(HCS_SYSTEM computeSystem, const char *processParameters, HCS_OPERATION operation,
			     const void *securityDescriptor, HCS_PROCESS *process)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);

	if (process)
		*process = NULL;
	if (FAILED(hr))
		return hr;
	c.doc = processParameters;
	hr = call_claim(&c, operation, HcsOperationTypeCreateProcess);
	if (SUCCEEDED(hr))
		hr = call_system(&c, computeSystem);
	if (SUCCEEDED(hr) && (!processParameters || !process))
		hr = call_refuse(&c, E_INVALIDARG, "%s: is NULL", process ? "processParameters" : "process");
	if (SUCCEEDED(hr) && securityDescriptor)
		hr = call_refuse(&c, E_INVALIDARG, "securityDescriptor: must be NULL");
	if (SUCCEEDED(hr))
		hr = create_process(&c, processParameters, process);
	return call_end(&c, hr);
}
