/* engine_open(): finds a task, and watches it. */
#include <errno.h>
#include <stdlib.h>

#include "engine_parts.h"
#include "identifier.h"
#include "probe.h"

/* A shim that is silent for as long may be anything. */
enum { OPEN_MS = 60000, SILENT_MS = 2000, AGAIN_MS = 10 };

struct opening {
	struct engine_progress p; /* first */
	struct task *task; /* until it is the probe's */
	struct probe probe;
	struct source silent, again;
	bool linked;
};

static void opening_free(struct opening *o)
{
	source_remove(&o->silent);
	source_remove(&o->again);
	probe_end(&o->probe);
	if (o->task)
		task_unref(o->task);
	free(o);
}

static void stop(struct engine_progress *p, int r, const struct err *e)
{
	struct opening *o = (struct opening *)p;

	operation_end(p, r, e);
	opening_free(o);
}

static void succeed(struct opening *o, struct task *t)
{
	task_watch(t);
	if (t->link && !t->link->due)
		link_poll(t);
	o->p.op->task = &t->t;
	operation_end(&o->p, 0, NULL);
	opening_free(o);
}

static void not_found(struct opening *o, const struct task *t)
{
	struct err e;

	stop(&o->p, task_not_found(t, &e), &e);
}

/* It is watched all the same: the answers may come some day, or its end. */
static void is_silent(struct opening *o)
{
	struct task *t = task_ref(o->probe.task);

	waiter_leave(&o->probe.waiter);
	if (!t->watches)
		t->t.now = (struct engine_state){ .status = ENGINE_UNKNOWN };
	succeed(o, t);
	if (!t->link && !t->ending && t->watches)
		ending_begin(t, -1); /* which tries to connect */
	task_unref(t);
}

static int on_silent(struct source *s, uint32_t events)
{
	is_silent((struct opening *)((char *)s - offsetof(struct opening, silent)));
	return 0;
}

static void on_probed(struct probe *p, enum probe_result result)
{
	struct opening *o = (struct opening *)((char *)p - offsetof(struct opening, probe));

	source_remove(&o->silent);
	switch (result) {
	case PROBE_ALIVE:
		succeed(o, p->task);
		break;
	case PROBE_SILENT:
		is_silent(o);
		break;
	case PROBE_NONE:
	case PROBE_BUSY:
		not_found(o, p->task);
		break;
	case PROBE_KEPT:
	case PROBE_FAILED:
		stop(&o->p, -EIO, &p->why);
		break;
	}
}

static int begin(struct source *s, uint32_t events)
{
	struct opening *o = (struct opening *)((char *)s - offsetof(struct opening, again));
	struct task *t = o->task;

	if (t->ending || t->deletion) /* what becomes of it is known soon */
		return source_timer(&o->again, o->p.engine->loop, AGAIN_MS, begin);
	if (t->t.now.status == ENGINE_GONE) {
		not_found(o, t);
		return 0;
	}
	if (t->watches && t->link && !t->link->due) {
		succeed(o, t);
		return 0;
	}
	o->task = NULL;
	operation_phase(&o->p, "ask the shim");
	source_timer(&o->silent, o->p.engine->loop, SILENT_MS, on_silent);
	probe_begin(&o->probe, t, greet_all(o->p.engine), on_probed);
	return 0;
}

int engine_open(struct engine *en, struct engine_op *op, const char *namespace, const char *id, struct err *e)
{
	const char *ns = namespace ? namespace : en->settings.namespace;
	struct opening *o;
	struct task *t;
	int r;

	r = identifier_check(ns, e);
	if (r >= 0)
		r = identifier_check(id, e);
	if (r < 0)
		return r;
	t = task_get(en, ns, id, e);
	if (!t)
		return -ENOMEM;
	o = calloc(1, sizeof *o);
	if (!o) {
		task_unref(t);
		return err_sys(e, -ENOMEM, "open task %s", id);
	}
	o->task = t;
	operation_begin(en, op, &o->p, OPEN_MS, stop);
	operation_phase(&o->p, "look at the task");
	return source_timer(&o->again, en->loop, 0, begin);
}
