/* Is there a shim, and is the task in it? See probe.h. */
#include "probe.h"

#include <errno.h>
#include <string.h>

enum { TRIES = 4 };

static void look(struct probe *p);

static int on_soon(struct source *s, uint32_t events)
{
	struct probe *p = (struct probe *)((char *)s - offsetof(struct probe, soon));

	p->done(p, p->result);
	return 0;
}

/* From within the call that began the probe nobody is told anything. */
static void end_soon(struct probe *p, enum probe_result result)
{
	p->result = result;
	bundle_unlock(&p->bundle);
	if (!p->soon.loop)
		source_timer(&p->soon, p->task->t.engine->loop, 0, on_soon);
}

static void end_now(struct probe *p, enum probe_result result)
{
	bundle_unlock(&p->bundle);
	p->done(p, result);
}

static void fail(struct probe *p)
{
	end_soon(p, PROBE_FAILED);
}

/* ---- what is left there ----------------------------------------------------- */

static void on_cleaned(struct cleanup *c, enum cleanup_result result)
{
	struct probe *p = c->ctx;

	p->cleanup = NULL;
	if (p->task->foreign && result == CLEANUP_DONE)
		foreign_tell_left(p->task, c->answer, true);
	if (result == CLEANUP_FAILED) {
		p->why = c->why;
		if (c->answer)
			task_set_stopped(p->task, c->answer->pid, c->answer->exit_status, c->answer->exited_at);
		end_now(p, PROBE_KEPT);
	} else {
		end_now(p, result == CLEANUP_BUSY ? PROBE_BUSY : result == CLEANUP_ALIVE ? PROBE_SILENT : PROBE_NONE);
	}
}

static void clean_up(struct probe *p, unsigned flags)
{
	p->cleanup = cleanup_begin(p->task, flags, &p->bundle, -1, on_cleaned, p);
	if (p->cleanup)
		return;
	err_sys(&p->why, -ENOMEM, "clean up");
	fail(p);
}

/* Nothing is there, it seems. Whoever makes or removes the task has the lock; with
 * it in our hands we look a second time. True: it was the second time. */
static bool make_sure(struct probe *p)
{
	const struct engine_task *t = &p->task->t;
	int r;

	if (p->bundle.fd >= 0)
		return true;
	r = bundle_lock(&p->bundle, t->engine->settings.state, t->namespace, t->id);
	if (r >= 0) {
		look(p);
	} else if (r == -ENOENT || r == -EAGAIN) {
		end_soon(p, r == -ENOENT ? PROBE_NONE : PROBE_BUSY);
	} else {
		err_sys(&p->why, r, "lock '%s'", t->bundle);
		fail(p);
	}
	return false;
}

/* ---- looking ---------------------------------------------------------------- */

static void on_ready(struct waiter *w, int r, const struct err *e)
{
	struct probe *p = (struct probe *)((char *)w - offsetof(struct probe, waiter));

	if (r >= 0) {
		end_now(p, PROBE_ALIVE);
	} else if (e->kind == ERR_LOST && p->tries++ < TRIES) {
		look(p);
	} else if (e->kind == ERR_NOT_FOUND) {
		if (make_sure(p))
			clean_up(p, CLEANUP_ORPHAN);
	} else {
		p->why = *e;
		fail(p);
	}
}

static int identify(struct probe *p)
{
	struct task *before = p->task;
	int r = task_identify(&p->task, &p->why);

	if (p->task != before) {
		link_use(p->task);
		link_unuse(before);
	}
	return r;
}

static void look(struct probe *p)
{
	int r = identify(p);

	if (r == -ENOENT || p->task->ending) {
		end_soon(p, r == -ENOENT ? PROBE_NONE : PROBE_BUSY);
		return;
	}
	if (r >= 0)
		r = link_open(p->task, &p->why);
	if (r == -ENOENT || r == -ECONNREFUSED || r == -ENODATA) {
		if (!make_sure(p))
			return;
		if (p->task->hosted)
			hosted_tell_left(p->task);
		clean_up(p, 0);
		return;
	}
	if (r == -EAGAIN) {
		end_soon(p, PROBE_SILENT);
		return;
	}
	if (r == -EPIPE) { /* it is ending at this moment */
		end_soon(p, PROBE_BUSY);
		return;
	}
	if (r >= 0)
		r = link_greet(p->task, p->greet, NULL, &p->why);
	if (r < 0)
		fail(p);
	else
		link_wait(p->task, &p->waiter);
}

void probe_begin(struct probe *p, struct task *t, unsigned greet,
		 void (*done)(struct probe *p, enum probe_result result))
{
	*p = (struct probe){ .task = t, .greet = greet, .done = done, .waiter.ready = on_ready };
	p->bundle = (struct bundle)BUNDLE_INIT;
	link_use(t);
	look(p);
}

void probe_end(struct probe *p)
{
	if (!p->task)
		return;
	waiter_leave(&p->waiter);
	source_remove(&p->soon);
	if (p->cleanup)
		cleanup_forget(p->cleanup);
	bundle_unlock(&p->bundle);
	link_unuse(p->task);
	task_unref(p->task);
	p->task = NULL;
}
