/* The calls on a task as a whole. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "events.pb-c.h"
#include "exit_record.h"
#include "fd.h"
#include "file.h"
#include "hold.h"
#include "hosted_record.h"
#include "identifier.h"
#include "json.h"
#include "job.h"
#include "log.h"
#include "runc_options.pb-c.h"
#include "service.h"
#include "stdstreams.h"
#include "str.h"
#include "task.pb-c.h"
#include "task_options.h"
#include "task_record.h"

/* ---- Create --------------------------------------------------------------- */

int task_choose_runtime(struct task *t, const struct task_options *o, struct err *e)
{
	const struct settings *s = &t->shim->settings;
	bool builtin = settings_is_builtin(s, o->binary_name);
	const char *root = !str_empty(o->root) ? o->root : builtin ? s->root : s->runtime_root;
	const char *own = t->shim->binary;
	OWN_SB struct sb whole = SB_INIT;

	sb_printf(&whole, "%s/%s", root, t->shim->namespace);
	t->runtime = (struct runtime){
		.ops = builtin && !own ? &builtin_ops : &external_ops,
		.binary = strdup(!builtin ? o->binary_name : own ? own : ""),
		.root = whole.failed ? NULL : strdup(whole.s),
		.systemd_cgroup = o->systemd_cgroup,
		.no_pivot_root = o->no_pivot_root,
		.no_new_keyring = o->no_new_keyring,
	};
	t->io_uid = o->io_uid;
	t->io_gid = o->io_gid;
	return t->runtime.binary && t->runtime.root ? 0 : err_sys(e, -ENOMEM, "create");
}

static void publish_create(struct task *t, const Containerd__Task__V2__CreateTaskRequest *q)
{
	Containerd__Events__TaskCreate m = CONTAINERD__EVENTS__TASK_CREATE__INIT;
	Containerd__Events__TaskIO io = CONTAINERD__EVENTS__TASK_IO__INIT;

	io.stdin = q->stdin;
	io.stdout = q->stdout;
	io.stderr = q->stderr;
	io.terminal = q->terminal;
	m.container_id = t->id;
	m.bundle = t->bundle;
	m.n_rootfs = q->n_rootfs;
	m.rootfs = q->rootfs;
	m.io = &io;
	m.pid = (uint32_t)t->init.pid;
	events_publish(&t->shim->events, "/tasks/create", &m.base);
}

struct failure { /* of a Create, until nothing is left of it */
	struct ttrpc_call *call;
	struct err e;
};

static void drop_undone(struct job *j, const struct err *e)
{
	struct failure *f = j->extra;

	ttrpc_fail(f->call, e);
	free(f);
}

static void on_undone(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	struct failure *f = j->extra;
	char text[1200];

	if (r < 0)
		log_printf(LOG_LEVEL_ERROR, "task %s: cannot be cleaned up: %s", j->task->id,
			   err_text(e, text, sizeof text));
	ttrpc_fail(f->call, &f->e);
	free(f);
	task_free(j->task);
}

/* A helper that was killed has not cleaned up. */
static void undo_create(struct task *t, struct ttrpc_call *call, const struct err *e)
{
	struct failure *f = malloc(sizeof *f);
	struct job *j = f ? job_new(t, NULL, NULL, on_undone) : NULL;

	if (!j) {
		free(f);
		ttrpc_fail(call, e);
		task_free(t);
		return;
	}
	*f = (struct failure){ call, *e };
	j->extra = f;
	j->drop = drop_undone;
	job_start(j, t->runtime.ops->destroy, NULL);
}

static int adopt(struct task *t, struct helper_result *ret, struct err *e)
{
	int r;

	t->cgroup = strdup(ret->cgroup);
	t->memory = strdup(ret->memory);
	t->shared_pids = ret->shared_pids;
	t->plain = ret->plain;
	t->start = take_fd(&ret->start);
	t->builtin_init = ret->builtin_init;
	task_watch_oom(t, take_fd(&ret->oom));
	r = t->cgroup && t->memory ? process_watch(&t->init, ret->pid, take_fd(&ret->pidfd)) : -ENOMEM;
	if (r < 0)
		return err_sys(e, r, "watch the container");
	r = stdstreams_attach(&t->init, take_fd(&ret->fd), take_fd(&ret->out), e);
	return r < 0 || !t->shim->binary ? r : hosted_record_write(&t->init, e);
}

static void on_created(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	Containerd__Task__V2__CreateTaskResponse answer = CONTAINERD__TASK__V2__CREATE_TASK_RESPONSE__INIT;
	Containerd__Task__V2__CreateTaskRequest *q = j->extra;
	struct task *t = j->task;

	bool undone = r < 0 && ret->answered;

	if (r >= 0 && t->shim->stopping) /* nobody would find the task */
		r = err_set(e, ERR_STATE, 0, "the shim has been told to end");
	else if (r >= 0)
		r = adopt(t, ret, e);
	if (r < 0)
		runtime_failed(e, "create");
	if (undone) {
		ttrpc_fail(j->call, e);
		task_free(t);
	} else if (r < 0) {
		undo_create(t, j->call, e);
	} else {
		t->ready = true;
		t->init.create_us = (uint64_t)(clock_us() - t->init.asked_us);
		clock_gettime(CLOCK_REALTIME, &t->init.created);
		publish_create(t, q);
		answer.pid = (uint32_t)t->init.pid;
		ttrpc_reply(j->call, &answer.base);
		process_settle(&t->init);
	}
	helper_result_drop(ret);
	containerd__task__v2__create_task_request__free_unpacked(q, NULL);
}

static void drop_created(struct job *j, const struct err *e)
{
	containerd__task__v2__create_task_request__free_unpacked(j->extra, NULL);
}

static int prepare(struct call *c, const Containerd__Task__V2__CreateTaskRequest *q, struct task **ret,
		   struct err *e)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct task_options o;
	struct holding *h;
	int r = identifier_check(q->id, e);

	if (r >= 0 && *q->bundle != '/')
		r = err_set(e, ERR_INVALID, 0, "bundle: '%s' is no absolute path", q->bundle);
	if (r >= 0)
		r = task_options_decode(&a, q->options, &o, e);
	if (r >= 0 && *q->checkpoint)
		r = err_set(e, ERR_UNSUPPORTED, 0, "restore from a checkpoint");
	if (r >= 0 && task_find_any(c->shim, q->id))
		r = err_set(e, ERR_EXISTS, 0, "task %s", q->id);
	if (r >= 0)
		r = job_may_begin_now(c->shim, e);
	if (r < 0)
		return r;
	h = holding_find(c->shim, q->id);
	if (h && strcmp(h->bundle, q->bundle) != 0)
		return err_set(e, ERR_EXISTS, 0, "task %s, which is held with the bundle '%s'", q->id, h->bundle);
	*ret = task_new(c->shim, q->id, q->bundle);
	if (!*ret)
		return err_sys(e, -ENOMEM, "create");
	(*ret)->holding = h;
	if (h)
		h->task = *ret;
	r = task_choose_runtime(*ret, &o, e);
	if (r >= 0)
		r = stdstreams_set(&(*ret)->init, q->stdin, q->stdout, q->stderr, q->terminal, e);
	return r;
}

void call_create(struct call *c)
{
	Containerd__Task__V2__CreateTaskRequest *q = (void *)c->m;
	struct stdfds fds = STDFDS_INIT;
	struct task *t = NULL;
	struct job *j = NULL;
	struct err e;
	int r = prepare(c, q, &t, &e);

	if (r >= 0)
		r = stdstreams_open(&t->init, &fds, &e);
	if (r >= 0)
		r = task_record_write(t->bundle, &t->runtime, &e);
	if (r >= 0) {
		j = job_new(t, &t->init, NULL, on_created);
		r = j ? 0 : err_sys(&e, -ENOMEM, "create");
	}
	if (r < 0) {
		call_fail(c, &e);
		if (t)
			task_free(t);
	} else {
		j->call = c->rpc;
		j->extra = q;
		j->drop = drop_created;
		c->m = NULL;
		j->order.mounts = q->rootfs;
		j->order.n_mounts = q->n_rootfs;
		j->order.logger = fds.logger;
		j->order.terminal = q->terminal;
		exit_record_remove(t->bundle, ""); /* of one that was deleted before, in the same bundle */
		job_start(j, t->runtime.ops->create, fds.fd);
		shim_end_spare(c->shim); /* that of an external runtime has no use for it */
	}
	stdfds_close(&fds);
}

/* ---- Pause, Resume, Update, Checkpoint ------------------------------------ */

static void on_paused(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	Containerd__Events__TaskPaused m = CONTAINERD__EVENTS__TASK_PAUSED__INIT;
	struct task *t = j->task;

	if (r < 0) {
		ttrpc_fail(j->call, e);
	} else {
		if (t->init.state == LIFE_RUNNING)
			t->init.state = LIFE_PAUSED;
		m.container_id = t->id;
		events_publish(&t->shim->events, "/tasks/paused", &m.base);
		call_empty(j->call);
	}
	process_settle(&t->init);
}

static void on_resumed(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	Containerd__Events__TaskResumed m = CONTAINERD__EVENTS__TASK_RESUMED__INIT;
	struct task *t = j->task;

	if (r < 0) {
		ttrpc_fail(j->call, e);
	} else {
		if (t->init.state == LIFE_PAUSED)
			t->init.state = LIFE_RUNNING;
		m.container_id = t->id;
		events_publish(&t->shim->events, "/tasks/resumed", &m.base);
		call_empty(j->call);
	}
	process_settle(&t->init);
}

/* A job that changes the first process's state: one at a time. */
static struct job *begin(struct call *c, const char *id, enum life_call what,
			 void (*done)(struct job *j, int r, struct helper_result *ret, struct err *e))
{
	struct task *t = call_task(c, id);
	struct err e;
	int r;

	if (!t)
		return NULL;
	r = life_check(t->init.state, what, &e);
	if (r >= 0 && t->init.busy)
		r = err_set(&e, ERR_STATE, 0, "another operation on task %s is in progress", id);
	if (r < 0) {
		call_fail(c, &e);
		return NULL;
	}
	return job_new(t, &t->init, c->rpc, done);
}

void call_pause(struct call *c)
{
	struct job *j = begin(c, ((Containerd__Task__V2__PauseRequest *)c->m)->id, LIFE_PAUSE, on_paused);

	if (j)
		job_start(j, j->task->runtime.ops->pause, NULL);
}

void call_resume(struct call *c)
{
	struct job *j = begin(c, ((Containerd__Task__V2__ResumeRequest *)c->m)->id, LIFE_RESUME, on_resumed);

	if (j)
		job_start(j, j->task->runtime.ops->resume, NULL);
}

static void on_updated(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	call_end(j->call, r, e);
	process_settle(&j->task->init);
}

void call_update(struct call *c)
{
	Containerd__Task__V2__UpdateTaskRequest *q = (void *)c->m;
	struct job *j;
	struct err e;

	if (!q->resources || !q->resources->value.len) {
		err_set(&e, ERR_INVALID, 0, "resources: missing");
		call_fail(c, &e);
		return;
	}
	j = begin(c, q->id, LIFE_UPDATE, on_updated);
	if (!j)
		return;
	j->order.document = q->resources->value.data;
	j->order.document_len = q->resources->value.len;
	job_start(j, j->task->runtime.ops->update, NULL);
}

void call_checkpoint(struct call *c)
{
	struct err e;

	if (!call_task(c, ((Containerd__Task__V2__CheckpointTaskRequest *)c->m)->id))
		return;
	err_set(&e, ERR_UNSUPPORTED, 0, "checkpoint");
	call_fail(c, &e);
}

/* ---- Pids, Stats ---------------------------------------------------------- */

static int read_answer(struct arena *a, int fd, char **ret, size_t *len, struct err *e)
{
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, -errno, "read the answer");
	return file_read_fd(a, fd, "the answer", JSON_MAX_SIZE, ret, len, e);
}

/* Which exec a pid is, as clients of the runc shims get it. */
static int add_details(struct arena *a, const struct task *t, Containerd__Types__ProcessInfo *info)
{
	Containerd__Runc__V1__ProcessDetails details = CONTAINERD__RUNC__V1__PROCESS_DETAILS__INIT;
	const struct process *p = t->execs;

	while (p && !(p->pidfd >= 0 && (uint32_t)p->pid == info->pid))
		p = p->next;
	if (!p)
		return 0;
	details.exec_id = p->id;
	info->info = arena_alloc(a, sizeof *info->info);
	if (!info->info)
		return -ENOMEM;
	google__protobuf__any__init(info->info);
	info->info->type_url = (char *)(uintptr_t)details.base.descriptor->name;
	info->info->value.data = arena_alloc(a, protobuf_c_message_get_packed_size(&details.base) + 1);
	if (!info->info->value.data)
		return -ENOMEM;
	info->info->value.len = protobuf_c_message_pack(&details.base, info->info->value.data);
	return 0;
}

static void on_pids(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	Containerd__Task__V2__PidsResponse m = CONTAINERD__TASK__V2__PIDS_RESPONSE__INIT;
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_FD fd = ret->fd;
	size_t len = 0;
	char *pids;

	if (r >= 0)
		r = read_answer(&a, fd, &pids, &len, e);
	if (r >= 0) {
		m.n_processes = len / sizeof(pid_t);
		m.processes = arena_calloc(&a, m.n_processes + 1, sizeof(void *));
		r = m.processes ? 0 : -ENOMEM;
	}
	for (size_t i = 0; r >= 0 && i < m.n_processes; i++) {
		pid_t pid;

		m.processes[i] = arena_alloc(&a, sizeof **m.processes);
		if (!m.processes[i]) {
			r = -ENOMEM;
			break;
		}
		memcpy(&pid, pids + i * sizeof pid, sizeof pid);
		containerd__types__process_info__init(m.processes[i]);
		m.processes[i]->pid = (uint32_t)pid;
		r = add_details(&a, j->task, m.processes[i]);
	}
	if (r == -ENOMEM)
		err_sys(e, r, "list the processes");
	if (r < 0)
		ttrpc_fail(j->call, e);
	else
		ttrpc_reply(j->call, &m.base);
}

void call_pids(struct call *c)
{
	struct task *t = call_task(c, ((Containerd__Task__V2__PidsRequest *)c->m)->id);
	struct job *j = t ? job_new(t, NULL, c->rpc, on_pids) : NULL;

	if (j)
		job_start(j, operation_pids, NULL);
}

static void on_stats(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	Containerd__Task__V2__StatsResponse m = CONTAINERD__TASK__V2__STATS_RESPONSE__INIT;
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_FD fd = ret->fd;
	char *packed;
	size_t len;

	if (r >= 0)
		r = read_answer(&a, fd, &packed, &len, e);
	if (r >= 0) {
		m.stats = google__protobuf__any__unpack(NULL, len, (uint8_t *)packed);
		r = m.stats ? 0 : err_sys(e, -ENOMEM, "read the answer");
	}
	if (r < 0) {
		ttrpc_fail(j->call, e);
		return;
	}
	ttrpc_reply(j->call, &m.base);
	google__protobuf__any__free_unpacked(m.stats, NULL);
}

void call_stats(struct call *c)
{
	struct task *t = call_task(c, ((Containerd__Task__V2__StatsRequest *)c->m)->id);
	struct job *j = t ? job_new(t, NULL, c->rpc, on_stats) : NULL;

	if (j)
		job_start(j, operation_metrics, NULL);
}

/* ---- Connect, Shutdown ---------------------------------------------------- */

void call_connect(struct call *c)
{
	Containerd__Task__V2__ConnectResponse m = CONTAINERD__TASK__V2__CONNECT_RESPONSE__INIT;
	const struct task *t = task_find(c->shim, ((Containerd__Task__V2__ConnectRequest *)c->m)->id);

	m.shim_pid = (uint32_t)getpid();
	m.task_pid = t ? (uint32_t)t->init.pid : 0;
	m.version = (char *)(uintptr_t)BERTH_VERSION;
	ttrpc_reply(c->rpc, &m.base);
}

void call_shutdown(struct call *c)
{
	struct shim *s = c->shim;
	bool busy = false;

	/* One that nobody holds any more goes by itself: who was told that it is not there, since it was
	 * just being made, sees its end, and all its events, before ours. */
	for (const struct task *t = s->tasks; t; t = t->next)
		busy = busy || (t->ready && !(t->holding && t->holding->ending));
	for (struct task *t = s->tasks; s->binary && !busy && t; t = t->next)
		if (t->init.busy) /* a Create: where the shim is a process it can be killed */
			job_hurry(t, 0);
	if (!busy) /* as with containerd's own, `now` or not: what runs needs its parent */
		shim_stop(s);
	call_empty(c->rpc); /* by now the next one of this name does not find us any more */
}
