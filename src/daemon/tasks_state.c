/* What is known of tasks: one, all, their processes, their ends, their use of things. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "grpc_words.h"
#include "log.h"
#include "str.h"
#include "task.pb-c.h"
#include "tasks.h"
#include "tasks.pb-c.h"

typedef Containerd__V1__Types__Process Process;

/* A shim that takes longer than this is left out of what is said of many. */
enum { STATS_MS = 2000 };

/* ---- get: the shim is asked -------------------------------------------------------- */

static void got(struct task_call *c)
{
	Containerd__Services__Tasks__V1__GetResponse m = CONTAINERD__SERVICES__TASKS__V1__GET_RESPONSE__INIT;
	Process p = CONTAINERD__V1__TYPES__PROCESS__INIT;
	Containerd__Task__V2__StateResponse *a =
		containerd__task__v2__state_response__unpack(NULL, c->op.len, c->op.payload);

	if (!a) {
		task_cannot_read(c);
		return;
	}
	p.id = *a->exec_id ? a->exec_id : c->task->id;
	p.pid = a->pid;
	p.status = a->status;
	p.stdin = a->stdin;
	p.stdout = a->stdout;
	p.stderr = a->stderr;
	p.terminal = a->terminal;
	p.exit_status = a->exit_status;
	p.exited_at = a->exited_at;
	m.process = &p;
	request_reply(c->q, &m.base);
	containerd__task__v2__state_response__free_unpacked(a, NULL);
}

static void get(struct task_call *c)
{
	Containerd__Task__V2__StateRequest m = CONTAINERD__TASK__V2__STATE_REQUEST__INIT;

	m.id = c->task->id;
	m.exec_id = TASK_REQUEST(c, GetRequest)->exec_id;
	task_ask(c, "State", &m.base, got);
}

void serve_task_get(struct request *q)
{
	task_call(q, ((const Containerd__Services__Tasks__V1__GetRequest *)q->m)->container_id, get);
}

/* ---- list: from memory, which events keep true --------------------------------------- */

struct listing {
	struct arena *a;
	Process **v;
	size_t n, cap;
	bool failed;
};

static const Containerd__Types__Status statuses[] = {
	[ENGINE_UNKNOWN] = CONTAINERD__TYPES__STATUS__UNKNOWN, [ENGINE_CREATED] = CONTAINERD__TYPES__STATUS__CREATED,
	[ENGINE_RUNNING] = CONTAINERD__TYPES__STATUS__RUNNING, [ENGINE_PAUSED] = CONTAINERD__TYPES__STATUS__PAUSED,
	[ENGINE_STOPPED] = CONTAINERD__TYPES__STATUS__STOPPED, [ENGINE_GONE] = CONTAINERD__TYPES__STATUS__UNKNOWN,
};

static Process *make_process(struct arena *a, const struct engine_task *t)
{
	struct {
		Process p;
		Google__Protobuf__Timestamp at;
	} *m = arena_alloc(a, sizeof *m);

	if (!m)
		return NULL;
	containerd__v1__types__process__init(&m->p);
	m->p.id = t->id;
	m->p.pid = t->now.pid;
	m->p.status = statuses[t->now.status];
	m->p.stdin = (char *)(uintptr_t)t->stdio[0];
	m->p.stdout = (char *)(uintptr_t)t->stdio[1];
	m->p.stderr = (char *)(uintptr_t)t->stdio[2];
	m->p.terminal = t->terminal;
	if (t->now.status == ENGINE_STOPPED) {
		google__protobuf__timestamp__init(&m->at);
		m->p.exited_at = &m->at;
		m->p.exit_status = t->now.exit_status;
		m->at.seconds = t->now.exited_at.tv_sec;
		m->at.nanos = (int32_t)t->now.exited_at.tv_nsec;
	}
	return &m->p;
}

static void count(void *ctx, struct engine_task *t)
{
	((struct listing *)ctx)->cap++;
}

static void add(void *ctx, struct engine_task *t)
{
	struct listing *l = ctx;
	Process *p = l->n < l->cap ? make_process(l->a, t) : NULL;

	if (p)
		l->v[l->n++] = p;
	else
		l->failed = true;
}

void serve_task_list(struct request *q)
{
	Containerd__Services__Tasks__V1__ListTasksResponse m =
		CONTAINERD__SERVICES__TASKS__V1__LIST_TASKS_RESPONSE__INIT;
	struct listing l = { .a = &q->arena };
	struct err e;

	engine_each(q->d->engine, q->namespace, count, &l);
	l.v = arena_calloc(l.a, l.cap + 1, sizeof(void *));
	if (l.v)
		engine_each(q->d->engine, q->namespace, add, &l);
	if (!l.v || l.failed) {
		err_sys(&e, -ENOMEM, "list the tasks");
		request_fail(q, &e);
		return;
	}
	m.tasks = l.v;
	m.n_tasks = l.n;
	request_reply(q, &m.base);
}

/* ---- pids ------------------------------------------------------------------------------ */

static void listed(struct task_call *c)
{
	Containerd__Services__Tasks__V1__ListPidsResponse m = CONTAINERD__SERVICES__TASKS__V1__LIST_PIDS_RESPONSE__INIT;
	Containerd__Task__V2__PidsResponse *a =
		containerd__task__v2__pids_response__unpack(NULL, c->op.len, c->op.payload);

	if (!a) {
		task_cannot_read(c);
		return;
	}
	m.processes = a->processes;
	m.n_processes = a->n_processes;
	request_reply(c->q, &m.base);
	containerd__task__v2__pids_response__free_unpacked(a, NULL);
}

static void list_pids(struct task_call *c)
{
	Containerd__Task__V2__PidsRequest m = CONTAINERD__TASK__V2__PIDS_REQUEST__INIT;

	m.id = c->task->id;
	task_ask(c, "Pids", &m.base, listed);
}

void serve_task_list_pids(struct request *q)
{
	task_call(q, ((const Containerd__Services__Tasks__V1__ListPidsRequest *)q->m)->container_id, list_pids);
}

/* ---- wait ------------------------------------------------------------------------------ */

static void waited(struct task_call *c)
{
	Containerd__Services__Tasks__V1__WaitResponse m = CONTAINERD__SERVICES__TASKS__V1__WAIT_RESPONSE__INIT;
	Containerd__Task__V2__WaitResponse *a =
		containerd__task__v2__wait_response__unpack(NULL, c->op.len, c->op.payload);

	if (!a) {
		task_cannot_read(c);
		return;
	}
	m.exit_status = a->exit_status;
	m.exited_at = a->exited_at;
	request_reply(c->q, &m.base);
	containerd__task__v2__wait_response__free_unpacked(a, NULL);
}

static void wait_for(struct task_call *c)
{
	Containerd__Task__V2__WaitRequest m = CONTAINERD__TASK__V2__WAIT_REQUEST__INIT;

	m.id = c->task->id;
	m.exec_id = TASK_REQUEST(c, WaitRequest)->exec_id;
	task_ask(c, "Wait", &m.base, waited);
}

void serve_task_wait(struct request *q)
{
	q->rpc->endless = true;
	task_call(q, ((const Containerd__Services__Tasks__V1__WaitRequest *)q->m)->container_id, wait_for);
}

/* ---- metrics: each shim is asked; one that hangs holds up nobody for long ------------------ */

struct survey {
	struct request *q;
	struct filter *filter;
	size_t due; /* answers, and one while they are asked */
	Containerd__Types__Metric **v;
	size_t n, cap;
	struct err e; /* the last that was told */
	struct sb errors; /* "ID: words, ID: words" */
};

struct metric_op {
	struct engine_op op;
	struct survey *all;
	struct engine_task *task;
	struct timespec asked;
};

static const char *field(void *ctx, const char *const *path, size_t n)
{
	const struct engine_task *t = ctx;

	if (n == 1 && !strcmp(path[0], "id"))
		return t->id;
	return n == 1 && !strcmp(path[0], "namespace") ? t->namespace : NULL;
}

/* An answer has no place for what a part of it lacks: it goes beside it. */
static void send_errors(const struct survey *all)
{
	char text[GRPC_WORDS_MAX + 1];

	if (!all->errors.len || all->errors.failed || !all->q->rpc)
		return;
	grpc_words_encode(all->errors.s, text);
	grpc_trailer(all->q->rpc, "berth-errors", text);
}

static void finish(struct survey *all)
{
	Containerd__Services__Tasks__V1__MetricsResponse m = CONTAINERD__SERVICES__TASKS__V1__METRICS_RESPONSE__INIT;
	struct request *q = all->q;

	if (--all->due)
		return;
	filter_free(all->filter);
	send_errors(all);
	sb_done(&all->errors);
	m.metrics = all->v;
	m.n_metrics = all->n;
	/* Who asked for one is told why there is none. */
	if (!all->n && all->cap == 1 && all->e.kind != ERR_NONE && all->e.kind != ERR_NOT_FOUND)
		request_fail(q, &all->e);
	else
		request_reply(q, &m.base);
}

static int keep(struct metric_op *o)
{
	struct survey *all = o->all;
	struct arena *a = &all->q->arena;
	struct {
		Containerd__Types__Metric m;
		Google__Protobuf__Timestamp at;
		Google__Protobuf__Any data;
	} *r = arena_alloc(a, sizeof *r);
	Containerd__Task__V2__StatsResponse *s =
		containerd__task__v2__stats_response__unpack(NULL, o->op.len, o->op.payload);
	int failed = -ENOMEM;

	if (r && s && s->stats) {
		containerd__types__metric__init(&r->m);
		google__protobuf__timestamp__init(&r->at);
		google__protobuf__any__init(&r->data);
		r->at.seconds = o->asked.tv_sec;
		r->at.nanos = (int32_t)o->asked.tv_nsec;
		r->data.type_url = arena_strdup(a, s->stats->type_url);
		r->data.value.len = s->stats->value.len;
		r->data.value.data = (uint8_t *)arena_strndup(a, (const char *)s->stats->value.data, r->data.value.len);
		r->m.id = arena_strdup(a, o->task->id);
		r->m.timestamp = &r->at;
		r->m.data = &r->data;
		if (r->data.type_url && r->data.value.data && r->m.id) {
			all->v[all->n++] = &r->m;
			failed = 0;
		}
	}
	if (s)
		containerd__task__v2__stats_response__free_unpacked(s, NULL);
	return failed;
}

static void no_metrics(struct survey *all, const struct engine_task *t, const struct err *e)
{
	char text[sizeof e->msg + 256];

	if (e->kind == ERR_NOT_FOUND)
		return;
	err_text(e, text, sizeof text);
	log_printf(LOG_LEVEL_WARNING, "no metrics: id=%s namespace=%s error=\"%s\"", t->id, t->namespace, text);
	sb_printf(&all->errors, "%s%s: %s", all->errors.len ? ", " : "", t->id, text);
}

static void on_stats(struct engine_op *op, int r, const struct err *e)
{
	struct metric_op *o = op->ctx;
	struct survey *all = o->all;

	task_drop_fds(op);
	if (r < 0)
		all->e = *e;
	else if (keep(o) < 0)
		r = err_sys(&all->e, -ENOMEM, "metrics of task %s", o->task->id);
	if (r < 0)
		no_metrics(all, o->task, &all->e);
	engine_task_unref(o->task);
	finish(all);
}

struct metric_targets {
	struct survey *all;
	struct metric_op *v; /* NULL: they are counted */
	size_t n;
};

static void pick(void *ctx, struct engine_task *t)
{
	struct metric_targets *p = ctx;

	if (!filter_match(p->all->filter, field, t))
		return;
	if (p->v)
		p->v[p->n] = (struct metric_op){ .op = { .done = on_stats, .timeout_ms = STATS_MS, .ctx = &p->v[p->n] },
						 .all = p->all,
						 .task = engine_task_ref(t) };
	p->n++;
}

static void ask_all(struct survey *all, struct metric_op *v, size_t n)
{
	Containerd__Task__V2__StatsRequest m = CONTAINERD__TASK__V2__STATS_REQUEST__INIT;

	request_waits(all->q, "ask the shims");
	all->due = 1;
	for (size_t i = 0; i < n; i++) {
		clock_gettime(CLOCK_REALTIME, &v[i].asked);
		m.id = v[i].task->id;
		all->due++;
		if (engine_call(v[i].task, &v[i].op, "Stats", &m.base, &all->e) >= 0)
			continue;
		all->due--;
		no_metrics(all, v[i].task, &all->e);
		engine_task_unref(v[i].task);
	}
	finish(all);
}

void serve_task_metrics(struct request *q)
{
	const Containerd__Services__Tasks__V1__MetricsRequest *m = (const void *)q->m;
	struct survey *all = arena_alloc(&q->arena, sizeof *all);
	struct metric_targets targets = { .all = all };
	struct err e;

	if (!all) {
		err_sys(&e, -ENOMEM, "metrics");
		request_fail(q, &e);
		return;
	}
	all->q = q;
	all->errors = (struct sb)SB_INIT;
	if (filter_parse((const char *const *)m->filters, m->n_filters, &all->filter, &e) < 0) {
		request_fail(q, &e);
		return;
	}
	engine_each(q->d->engine, q->namespace, pick, &targets);
	all->cap = targets.n;
	all->v = arena_calloc(&q->arena, targets.n + 1, sizeof(void *));
	targets.v = arena_calloc(&q->arena, targets.n + 1, sizeof *targets.v);
	if (!all->v || !targets.v) {
		filter_free(all->filter);
		err_sys(&e, -ENOMEM, "metrics");
		request_fail(q, &e);
		return;
	}
	targets.n = 0;
	engine_each(q->d->engine, q->namespace, pick, &targets);
	ask_all(all, targets.v, targets.n);
}
