/*
 * An engine whose shims do what a test says: engine.h without any process. Calls
 * are answered in the next round of the loop, unless fake_hold() keeps those of a
 * method until fake_release(); fake_fail() has the next one fail. Its functions
 * for the test take the library's lock.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "berth_shim.pb-c.h"
#include "engine.h"
#include "err.h"
#include "events.pb-c.h"
#include "hcs.h"
#include "task.pb-c.h"
#include "wellknown.pb-c.h"

enum { FAKE_TASKS = 4096, FAKE_EXECS = 64, FAKE_HELD = 8 };

struct engine {
	struct loop *loop;
	struct engine_settings settings;
	struct engine_watch watch;
};

struct fake_exec {
	char id[64];
	uint32_t pid, status;
	bool there, running, ended;
};

struct fake_task {
	struct engine_task t; /* first */
	unsigned refs, watches;
	enum engine_lifetime lifetime;
	struct fake_exec execs[FAKE_EXECS];
	uint32_t signal, kill_signal;
	uint64_t oom;
	bool in_use;
	bool ignores_term;
};

struct engine_progress {
	struct source timer;
	struct engine_op *op;
	struct fake_task *task;
	char method[24], exec_id[64];
	uint32_t signal;
	bool all, held;
	char *payload;
	struct engine_progress *next;
};

static struct {
	struct engine en;
	struct fake_task *tasks[FAKE_TASKS];
	struct engine_progress *ops;
	const char *held[FAKE_HELD];
	const char *fail_method;
	struct err fail;
	uint32_t last_pid;
	uint64_t last_event;
	unsigned calls, watched, deleted_execs;
	bool deaf; /* what is cancelled has its answer already */
} fake;

/* ---- for the test -------------------------------------------------------------------- */

static inline void fake_hold(const char *method)
{
	lib_lock();
	for (int i = 0; i < FAKE_HELD; i++)
		if (!fake.held[i]) {
			fake.held[i] = method;
			break;
		}
	lib_unlock();
}

/* What comes from now on is answered; what is held stays so. */
static inline void fake_hold_no_more(const char *method)
{
	lib_lock();
	for (int i = 0; i < FAKE_HELD; i++)
		if (fake.held[i] && !strcmp(fake.held[i], method))
			fake.held[i] = NULL;
	lib_unlock();
}

static inline void fake_answer_at(struct engine_progress *p);

static inline void fake_release(const char *method)
{
	fake_hold_no_more(method);
	lib_lock();
	for (struct engine_progress *p = fake.ops; p; p = p->next)
		if (p->held && !strcmp(p->method, method)) {
			p->held = false;
			fake_answer_at(p);
		}
	lib_unlock();
}

/* The next call of the method fails with this. */
static inline void fake_fail(const char *method, enum err_kind kind, int sys, const char *words)
{
	lib_lock();
	fake.fail_method = method;
	err_set(&fake.fail, kind, -sys, "%s", words);
	lib_unlock();
}

static inline struct fake_task *fake_find(const char *ns, const char *id)
{
	for (int i = 0; i < FAKE_TASKS; i++)
		if (fake.tasks[i] && fake.tasks[i]->in_use && !strcmp(fake.tasks[i]->t.namespace, ns) &&
		    !strcmp(fake.tasks[i]->t.id, id))
			return fake.tasks[i];
	return NULL;
}

static inline struct fake_task *fake_task(const char *id)
{
	struct fake_task *t;

	lib_lock();
	t = fake_find("default", id);
	lib_unlock();
	return t;
}

/* ---- events ----------------------------------------------------------------------------- */

static inline void fake_event(struct fake_task *t, const char *topic, const ProtobufCMessage *m)
{
	uint8_t body[512];
	struct engine_event ev = {
		.namespace = t->t.namespace,
		.id = t->t.id,
		.topic = topic,
		.instance = "fake",
		.number = ++fake.last_event,
		.type = m->descriptor->name,
		.body = body,
		.len = protobuf_c_message_pack(m, body),
	};

	clock_gettime(CLOCK_REALTIME, &ev.at);
	if (t->watches && fake.en.watch.event)
		fake.en.watch.event(fake.en.watch.ctx, &t->t, &ev);
}

static inline void fake_exit_event(struct fake_task *t, const char *exec_id, uint32_t pid, uint32_t status)
{
	Containerd__Events__TaskExit m = CONTAINERD__EVENTS__TASK_EXIT__INIT;

	m.container_id = t->t.id;
	m.id = (char *)(uintptr_t)(*exec_id ? exec_id : t->t.id);
	m.pid = pid;
	m.exit_status = status;
	fake_event(t, "/tasks/exit", &m.base);
}

static inline void fake_exec_ended(struct fake_task *t, struct fake_exec *x, uint32_t status)
{
	if (!x->running)
		return;
	x->running = false;
	x->ended = true;
	x->status = status;
	fake_exit_event(t, x->id, x->pid, status);
}

static inline void fake_ended(struct fake_task *t, uint32_t status, uint32_t signal)
{
	if (t->t.now.status == ENGINE_STOPPED || t->t.now.status == ENGINE_GONE)
		return;
	for (int i = 0; i < FAKE_EXECS; i++)
		fake_exec_ended(t, &t->execs[i], 137);
	t->t.now.status = ENGINE_STOPPED;
	t->t.now.exit_status = status;
	clock_gettime(CLOCK_REALTIME, &t->t.now.exited_at);
	t->signal = signal;
	fake_exit_event(t, "", t->t.now.pid, status);
}

static inline void fake_exit(const char *id, uint32_t status, uint32_t signal)
{
	lib_lock();
	fake_ended(fake_find("default", id), status, signal);
	lib_unlock();
}

static inline void fake_process_exit(const char *id, uint32_t pid, uint32_t status)
{
	struct fake_task *t;

	lib_lock();
	t = fake_find("default", id);
	for (int i = 0; i < FAKE_EXECS; i++)
		if (t->execs[i].there && t->execs[i].pid == pid)
			fake_exec_ended(t, &t->execs[i], status);
	lib_unlock();
}

static inline void fake_done(struct engine_progress *p, int r, const struct err *e);

static inline void fake_gone(struct fake_task *t, bool lost)
{
	unsigned watches = t->watches;

	t->in_use = false;
	t->t.now.status = ENGINE_GONE;
	for (struct engine_progress *p = fake.ops, *next; p && lost; p = next) {
		next = p->next;
		if (p->task == t) {
			struct err e;

			err_set(&e, ERR_LOST, -EPIPE, "the shim is gone");
			fake_done(p, -EPIPE, &e);
			next = fake.ops;
		}
	}
	fake.watched -= watches;
	t->watches = 0;
	if (watches && fake.en.watch.gone)
		fake.en.watch.gone(fake.en.watch.ctx, &t->t, lost);
}

/* Its shim dies: calls end, then its end is told. */
static inline void fake_die(const char *id)
{
	struct fake_task *t;

	lib_lock();
	t = fake_find("default", id);
	engine_task_ref(&t->t);
	fake_gone(t, true);
	engine_task_unref(&t->t);
	lib_unlock();
}

/* ---- engine.h --------------------------------------------------------------------------------- */

int engine_settings_read(struct arena *a, struct engine_settings *ret, struct err *e)
{
	*ret = (struct engine_settings){ .namespace = arena_strdup(a, "default") };
	return 0;
}

int engine_new(struct engine **ret, struct loop *l, const struct engine_settings *s, const struct engine_watch *w,
	       struct err *e)
{
	fake.en = (struct engine){ .loop = l, .settings = { .namespace = (char *)(uintptr_t) "default" }, .watch = *w };
	*ret = &fake.en;
	return 0;
}

const struct engine_settings *engine_settings_of(const struct engine *en)
{
	return &en->settings;
}

struct engine_task *engine_task_ref(struct engine_task *t)
{
	((struct fake_task *)t)->refs++;
	return t;
}

void engine_task_unref(struct engine_task *t)
{
	struct fake_task *f = (struct fake_task *)t;

	if (--f->refs)
		return;
	for (int i = 0; i < FAKE_TASKS; i++)
		if (fake.tasks[i] == f)
			fake.tasks[i] = NULL;
	free(t->namespace);
	free(t->id);
	free(t->record);
	free(f);
}

void engine_task_unwatch(struct engine_task *t)
{
	struct fake_task *f = (struct fake_task *)t;

	if (!f->watches)
		return;
	fake.watched--;
	if (--f->watches || f->lifetime == ENGINE_KEEP || !f->in_use)
		return;
	if (f->lifetime == ENGINE_TERMINATE)
		t->now.status = ENGINE_STOPPED;
	if (t->now.status == ENGINE_STOPPED) {
		f->in_use = false;
		t->now.status = ENGINE_GONE;
		engine_task_unref(t); /* the state directory's */
	}
}

static struct engine_progress *fake_begin(struct engine_op *op, struct fake_task *t, const char *method)
{
	struct engine_progress *p = calloc(1, sizeof *p);

	p->op = op;
	p->task = t;
	if (t)
		engine_task_ref(&t->t);
	snprintf(p->method, sizeof p->method, "%s", method);
	p->next = fake.ops;
	fake.ops = p;
	op->progress = p;
	op->phase = "wait for the fake shim";
	clock_gettime(CLOCK_MONOTONIC, &op->since);
	for (int i = 0; i < FAKE_HELD; i++)
		p->held = p->held || (fake.held[i] && !strcmp(fake.held[i], method));
	if (!p->held)
		fake_answer_at(p);
	fake.calls++;
	return p;
}

static inline void fake_done(struct engine_progress *p, int r, const struct err *e)
{
	struct engine_progress **at;
	struct engine_op *op = p->op;
	struct fake_task *t = p->task;

	for (at = &fake.ops; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	source_remove(&p->timer);
	op->progress = NULL;
	op->done(op, r, e);
	free(p->payload);
	free(p);
	if (t)
		engine_task_unref(&t->t);
}

void engine_cancel(struct engine_op *op)
{
	struct engine_progress *p = op->progress;

	if (!p || fake.deaf)
		return;
	source_remove(&p->timer);
	snprintf(p->method, sizeof p->method, "cancelled");
	fake_answer_at(p);
}

void engine_free(struct engine *en)
{
	struct err e;

	err_set(&e, ERR_INTERNAL, -ECANCELED, "the engine ends");
	while (fake.ops)
		fake_done(fake.ops, -ECANCELED, &e);
}

/* ---- the shim ------------------------------------------------------------------------------------- */

static void fake_pack(struct engine_progress *p, const ProtobufCMessage *m)
{
	p->payload = malloc(protobuf_c_message_get_packed_size(m) + 1);
	p->op->len = protobuf_c_message_pack(m, (uint8_t *)p->payload);
	p->op->payload = (uint8_t *)p->payload;
}

static struct fake_exec *fake_exec_of(struct fake_task *t, const char *id)
{
	for (int i = 0; i < FAKE_EXECS; i++)
		if (t->execs[i].there && !strcmp(t->execs[i].id, id))
			return &t->execs[i];
	return NULL;
}

static int fake_start(struct engine_progress *p, struct err *e)
{
	Containerd__Task__V2__StartResponse m = CONTAINERD__TASK__V2__START_RESPONSE__INIT;
	Containerd__Events__TaskStart ev = CONTAINERD__EVENTS__TASK_START__INIT;
	struct fake_exec *x = fake_exec_of(p->task, p->exec_id);

	if (*p->exec_id && !x)
		return err_set(e, ERR_NOT_FOUND, 0, "no such exec");
	if (!x && p->task->t.now.status != ENGINE_CREATED)
		return err_set(e, ERR_STATE, 0, "cannot start a running process");
	if (x) {
		m.pid = x->pid = ++fake.last_pid;
		x->running = true;
	} else {
		p->task->t.now.status = ENGINE_RUNNING;
		m.pid = p->task->t.now.pid;
		ev.container_id = p->task->t.id;
		ev.pid = m.pid;
		fake_event(p->task, "/tasks/start", &ev.base);
	}
	fake_pack(p, &m.base);
	return 0;
}

static int fake_kill(struct engine_progress *p, struct err *e)
{
	struct fake_task *t = p->task;
	struct fake_exec *x = fake_exec_of(t, p->exec_id);

	if (t->t.now.status == ENGINE_STOPPED || (*p->exec_id && (!x || !x->running)))
		return err_set(e, ERR_NOT_FOUND, 0, "process already finished");
	if (x && p->signal == SIGKILL)
		fake_exec_ended(t, x, 137);
	if (*p->exec_id)
		return 0;
	t->kill_signal = p->signal;
	if (p->signal == SIGKILL)
		fake_ended(t, 137, SIGKILL);
	else if (p->signal == SIGTERM && !t->ignores_term)
		fake_ended(t, 0, 0);
	return 0;
}

/* When every first process was started; 0: nobody says. */
static Google__Protobuf__Timestamp fake_started = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

static void fake_properties(struct engine_progress *p)
{
	Berth__Shim__V1__PropertiesResponse m = BERTH__SHIM__V1__PROPERTIES_RESPONSE__INIT;
	Berth__Shim__V1__ProcessProperties list[FAKE_EXECS + 1], *at[FAKE_EXECS + 1];
	struct fake_task *t = p->task;

	for (int i = 0; i <= FAKE_EXECS; i++)
		berth__shim__v1__process_properties__init(at[i] = &list[i]);
	list[0].pid = t->t.now.pid;
	list[0].state = (char *)(uintptr_t)(t->t.now.status == ENGINE_STOPPED ? "stopped" : "running");
	list[0].exit_status = t->t.now.exit_status;
	list[0].exit_signal = t->signal;
	list[0].kill_signal = t->kill_signal;
	list[0].oom_kills = t->oom;
	if (fake_started.seconds)
		list[0].started_at = &fake_started;
	m.n_processes = 1;
	for (int i = 0; i < FAKE_EXECS; i++) {
		const struct fake_exec *x = &t->execs[i];
		Berth__Shim__V1__ProcessProperties *out = &list[m.n_processes];

		if (!x->there)
			continue;
		out->exec_id = (char *)(uintptr_t)x->id;
		out->pid = x->pid;
		out->state = (char *)(uintptr_t)(x->ended ? "stopped" : x->running ? "running" : "created");
		out->exit_status = x->status;
		out->exit_signal = x->status > 128 ? x->status - 128 : 0;
		m.n_processes++;
	}
	m.processes = at;
	fake_pack(p, &m.base);
}

/* Metrics in which everything is 0. */
static void fake_stats(struct engine_progress *p)
{
	Containerd__Task__V2__StatsResponse m = CONTAINERD__TASK__V2__STATS_RESPONSE__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	any.type_url = (char *)(uintptr_t)"io.containerd.cgroups.v1.Metrics";
	m.stats = &any;
	fake_pack(p, &m.base);
}

static void fake_stdio(struct engine_progress *p)
{
	Berth__Shim__V1__StdioResponse m = BERTH__SHIM__V1__STDIO_RESPONSE__INIT;
	int in[2], out[2];

	m.stdin = m.stdout = true;
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		abort();
	p->op->fds[0] = in[1];
	p->op->fds[1] = out[0];
	close(in[0]);
	(void)!write(out[1], "hello\n", 6);
	close(out[1]);
	fake_pack(p, &m.base);
}

static int fake_delete_exec(struct engine_progress *p, struct err *e)
{
	struct fake_exec *x = fake_exec_of(p->task, p->exec_id);

	if (!x)
		return err_set(e, ERR_NOT_FOUND, 0, "no such exec");
	memset(x, 0, sizeof *x);
	fake.deleted_execs++;
	return 0;
}

static void fake_list(struct engine_progress *p)
{
	static struct engine_task *list[FAKE_TASKS];

	p->op->n_tasks = 0;
	p->op->tasks = list;
	for (int i = 0; i < FAKE_TASKS; i++)
		if (fake.tasks[i] && fake.tasks[i]->in_use &&
		    (!*p->exec_id || !strcmp(p->exec_id, fake.tasks[i]->t.namespace)))
			list[p->op->n_tasks++] = &fake.tasks[i]->t;
}

static int fake_carry_out(struct engine_progress *p, struct err *e)
{
	struct fake_task *t = p->task;

	if (!strcmp(p->method, "cancelled"))
		return err_set(e, ERR_INTERNAL, -ECANCELED, "cancelled");
	if (fake.fail_method && !strcmp(fake.fail_method, p->method)) {
		*e = fake.fail;
		fake.fail_method = NULL;
		return e->sys ? -e->sys : -EINVAL;
	}
	if (!strcmp(p->method, "create")) {
		t->in_use = true;
		t->watches = 1;
		fake.watched++;
		t->t.now = (struct engine_state){ .status = ENGINE_CREATED, .pid = ++fake.last_pid };
		p->op->task = engine_task_ref(&t->t);
		engine_task_unref(&t->t);
	} else if (!strcmp(p->method, "open")) {
		if (!t || !t->in_use)
			return err_set(e, ERR_NOT_FOUND, 0, "no such task");
		t->watches++;
		fake.watched++;
		p->op->task = &t->t;
	} else if (!strcmp(p->method, "list")) {
		fake_list(p);
	} else if (!strcmp(p->method, "delete")) {
		fake_gone(t, false);
	} else if (!strcmp(p->method, "Start")) {
		return fake_start(p, e);
	} else if (!strcmp(p->method, "Kill")) {
		return fake_kill(p, e);
	} else if (!strcmp(p->method, "Pause") || !strcmp(p->method, "Resume")) {
		if (t->t.now.status == ENGINE_STOPPED)
			return err_set(e, ERR_STATE, 0, "cannot pause a stopped container");
		t->t.now.status = *p->method == 'P' ? ENGINE_PAUSED : ENGINE_RUNNING;
	} else if (!strcmp(p->method, "Properties")) {
		fake_properties(p);
	} else if (!strcmp(p->method, "Stats")) {
		fake_stats(p);
	} else if (!strcmp(p->method, "Stdio")) {
		fake_stdio(p);
	} else if (!strcmp(p->method, "Delete")) {
		return fake_delete_exec(p, e);
	}
	return 0;
}

static int fake_on_timer(struct source *src, uint32_t events)
{
	struct engine_progress *p = (struct engine_progress *)(void *)src;
	struct err e = { 0 };
	int r = fake_carry_out(p, &e);

	if (r < 0 && !strcmp(p->method, "create") && p->task->refs == 2)
		engine_task_unref(&p->task->t); /* what there would have been on disk */
	fake_done(p, r, &e);
	return 0;
}

static inline void fake_answer_at(struct engine_progress *p)
{
	source_timer(&p->timer, fake.en.loop, 0, fake_on_timer);
}

int engine_create(struct engine *en, struct engine_op *op, const struct engine_create *c, struct err *e)
{
	const char *ns = c->namespace ? c->namespace : "default";
	struct fake_task *t;
	int i;

	if (fake_find(ns, c->id))
		return err_set(e, ERR_EXISTS, -EEXIST, "task '%s' exists", c->id);
	t = calloc(1, sizeof *t);
	t->t.engine = en;
	t->t.namespace = strdup(ns);
	t->t.id = strdup(c->id);
	t->t.bundle = (char *)(uintptr_t) "/"; /* which is there */
	t->t.record = strdup(c->record);
	t->lifetime = c->lifetime;
	t->refs = 1;
	for (i = 0; i < FAKE_TASKS && fake.tasks[i]; i++)
		;
	fake.tasks[i] = t;
	fake_begin(op, t, "create");
	return 0;
}

int engine_open(struct engine *en, struct engine_op *op, const char *namespace, const char *id, struct err *e)
{
	fake_begin(op, fake_find(namespace, id), "open");
	return 0;
}

int engine_list(struct engine *en, struct engine_op *op, const char *namespace, struct err *e)
{
	struct engine_progress *p = fake_begin(op, NULL, "list");

	snprintf(p->exec_id, sizeof p->exec_id, "%s", namespace ? namespace : "");
	return 0;
}

int engine_delete(struct engine_task *t, struct engine_op *op, struct err *e)
{
	if (t->now.status != ENGINE_STOPPED && t->now.status != ENGINE_CREATED)
		return err_set(e, ERR_STATE, 0, "the task runs");
	fake_begin(op, (struct fake_task *)t, "delete");
	return 0;
}

int engine_call(struct engine_task *task, struct engine_op *op, const char *method, const ProtobufCMessage *m,
		struct err *e)
{
	struct fake_task *t = (struct fake_task *)task;
	struct engine_progress *p;

	if (task->now.status == ENGINE_GONE)
		return err_set(e, ERR_LOST, 0, "the shim is gone");
	p = fake_begin(op, t, method);
	if (!strcmp(method, "Start")) {
		snprintf(p->exec_id, sizeof p->exec_id, "%s", ((const Containerd__Task__V2__StartRequest *)m)->exec_id);
	} else if (!strcmp(method, "Delete")) {
		const Containerd__Task__V2__DeleteRequest *q = (const void *)m;

		snprintf(p->exec_id, sizeof p->exec_id, "%s", q->exec_id);
	} else if (!strcmp(method, "Kill")) {
		const Containerd__Task__V2__KillRequest *q = (const void *)m;

		snprintf(p->exec_id, sizeof p->exec_id, "%s", q->exec_id);
		p->signal = q->signal;
		p->all = q->all;
	} else if (!strcmp(method, "Exec")) {
		const Containerd__Task__V2__ExecProcessRequest *q = (const void *)m;

		for (int i = 0; i < FAKE_EXECS; i++)
			if (!t->execs[i].there) {
				snprintf(t->execs[i].id, sizeof t->execs[i].id, "%s", q->exec_id);
				t->execs[i].there = true;
				break;
			}
	}
	return 0;
}
