/* engine_delete(): the task, its shim, its bundle; in this order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "engine_parts.h"
#include "fd.h"
#include "log.h"

enum { DELETE_MS = 120000, ANSWER_MS = 10000, PAUSE_MS = 10, PAUSE_MAX_MS = 320, BUSY_MS = 20, BUSY_MAX_MS = 10000 };
enum { TELL_MS = 500 };

struct deletion {
	struct engine_progress p; /* first */
	struct task *task; /* with a reference */
	struct bundle bundle;
	struct source again;
	struct waiter waiter;
	uint32_t pause;
	uint64_t until; /* CLOCK_MONOTONIC, ms: as long a refusal may be one that passes */
	bool linked; /* uses the connection */
	bool asked; /* the shim has been told, and has to end it */
	bool deleted; /* and has done so */
	struct cleanup *cleanup;
	uint8_t *payload;
	size_t len;
};

void deletion_free(struct deletion *d)
{
	struct task *t = d->task;

	source_remove(&d->again);
	waiter_leave(&d->waiter);
	if (d->cleanup)
		cleanup_forget(d->cleanup);
	bundle_unlock(&d->bundle);
	free(d->payload);
	if (t->deletion == d)
		t->deletion = NULL;
	if (d->linked)
		link_unuse(t);
	free(d);
	task_unref(t);
}

/* Before the task is told to go: nothing has changed. */
static void fail(struct deletion *d, int r, const struct err *e)
{
	operation_end(&d->p, r, e);
	deletion_free(d);
}

/* What its shim has not forwarded until now. */
static void tell_end(struct deletion *d)
{
	Containerd__Task__V2__DeleteResponse *end =
		d->payload ? containerd__task__v2__delete_response__unpack(NULL, d->len, d->payload) : NULL;

	foreign_tell_end(d->task, end);
	if (end)
		containerd__task__v2__delete_response__free_unpacked(end, NULL);
}

static void succeed(struct deletion *d, bool lost)
{
	struct task *t = d->task;

	if (t->foreign)
		tell_end(d);
	t->deletion = NULL;
	if (t->link)
		link_close(t->link);
	task_gone(t, lost);
	if (d->p.op) {
		d->p.op->task = &t->t;
		d->p.op->payload = d->payload;
		d->p.op->len = d->len;
	}
	operation_end(&d->p, 0, NULL);
	deletion_free(d);
}

/* What the shim has is carried out; its end is not waited for any more. */
static void stop(struct engine_progress *p, int r, const struct err *e)
{
	struct deletion *d = (struct deletion *)p;

	if (d->asked || (p->engine->ending && d->task->deletion))
		operation_end(p, r, e);
	else
		fail(d, r, e);
}

/* ---- the shim has ended ------------------------------------------------------ */

static void on_cleaned(struct cleanup *c, enum cleanup_result result)
{
	struct deletion *d = c->ctx;

	d->cleanup = NULL;
	if (c->answer) {
		d->len = protobuf_c_message_get_packed_size(&c->answer->base);
		free(d->payload);
		d->payload = malloc(d->len + 1);
		d->len = d->payload ? protobuf_c_message_pack(&c->answer->base, d->payload) : 0;
	}
	events_replay(d->task, c->answer);
	if (result != CLEANUP_DONE && result != CLEANUP_NOTHING && !c->why.msg[0])
		err_set(&c->why, ERR_STATE, 0, "somebody else is at it");
	if (result == CLEANUP_DONE || result == CLEANUP_NOTHING)
		succeed(d, true);
	else
		fail(d, -EIO, &c->why);
}

/* There is no shim that could delete it. */
static void clean_up(struct deletion *d)
{
	struct err e;

	operation_phase(&d->p, "clean up after a dead shim");
	d->asked = true;
	d->cleanup = cleanup_begin(d->task, 0, &d->bundle, -1, on_cleaned, d);
	if (!d->cleanup)
		fail(d, err_sys(&e, -ENOMEM, "delete task %s", d->task->t.id), &e);
}

static void remove_bundle(struct deletion *d)
{
	struct err e;
	int r = bundle_remove(&d->bundle);

	if (r < 0) {
		err_sys(&e, r, "remove '%s'", d->task->t.bundle);
		task_log(LOG_LEVEL_WARNING, d->task, "the bundle is not removed", &e);
	}
	succeed(d, false);
}

void deletion_shim_ended(struct deletion *d)
{
	if (d->deleted || d->task->deleted)
		remove_bundle(d);
	else
		clean_up(d);
}

/* ---- the shim ends ----------------------------------------------------------- */

/* Its events have had the time to arrive. */
static int on_told(struct source *s, uint32_t events)
{
	remove_bundle((struct deletion *)((char *)s - offsetof(struct deletion, again)));
	return 0;
}

static void on_shut_down(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct deletion *d = ctx;

	if (d->p.engine->ending)
		return;
	if (r >= 0 && d->task->hosted) {
		events_replay(d->task, NULL);
		remove_bundle(d);
		return;
	}
	if (r >= 0 && shim_stays(d->task)) { /* it has other tasks */
		if (d->task->foreign && !d->task->deleted)
			source_timer(&d->again, d->p.engine->loop, TELL_MS, on_told);
		else
			remove_bundle(d);
		return;
	}
	operation_phase(&d->p, "wait for the end of the shim");
	if (r < 0 && e->kind != ERR_LOST) {
		/* It has deleted the task, and hangs now: it is of no use any more. */
		task_log(LOG_LEVEL_WARNING, d->task, "failed to stop monitoring: the shim does not end", e);
		remove_bundle(d);
	}
}

static int on_busy(struct source *s, uint32_t events)
{
	struct deletion *d = (struct deletion *)((char *)s - offsetof(struct deletion, again));
	struct err e;
	int r = link_greet(d->task, GREET_STATE, NULL, &e);

	if (r >= 0)
		link_wait(d->task, &d->waiter);
	else if (e.kind != ERR_LOST)
		fail(d, r, &e);
	return 0;
}

static void on_deleted(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	Containerd__Task__V2__ShutdownRequest m = CONTAINERD__TASK__V2__SHUTDOWN_REQUEST__INIT;
	struct deletion *d = ctx;
	struct err failed;

	if (d->p.engine->ending || (r < 0 && e->kind == ERR_LOST))
		return; /* deletion_shim_ended() is next */
	if (r < 0 && e->kind == ERR_STATE && (uint64_t)clock_ms() < d->until) {
		/* Another operation may be at work, of a program that has gone. */
		source_timer(&d->again, d->p.engine->loop, BUSY_MS, on_busy);
		return;
	}
	if (r < 0 && e->kind != ERR_NOT_FOUND) {
		fail(d, r, e);
		return;
	}
	d->deleted = true;
	d->payload = r >= 0 ? malloc(a->len + 1) : NULL;
	if (d->payload && a->len) {
		memcpy(d->payload, a->payload, a->len);
		d->len = a->len;
	}
	operation_phase(&d->p, "end the shim");
	m.id = d->task->t.id;
	link_call(d->task, "Shutdown", &m.base, ANSWER_MS, on_shut_down, d, &failed);
}

/* Hello has been answered, so its process is watched; and the state is known. */
static void on_ready(struct waiter *w, int r, const struct err *e)
{
	struct deletion *d = (struct deletion *)((char *)w - offsetof(struct deletion, waiter));
	Containerd__Task__V2__DeleteRequest m = CONTAINERD__TASK__V2__DELETE_REQUEST__INIT;
	enum engine_status status = d->task->t.now.status;
	struct err why;

	if (r < 0 && e->kind == ERR_LOST)
		return; /* deletion_shim_ended() is next */
	if (r < 0 && e->kind == ERR_NOT_FOUND)
		r = 0; /* what is left goes all the same */
	else if (status == ENGINE_RUNNING || status == ENGINE_PAUSED)
		d->until = 0; /* it is refused for that, and for nothing that passes */
	operation_phase(&d->p, "delete the task");
	m.id = d->task->t.id;
	if (r >= 0) {
		r = link_call(d->task, "Delete", &m.base, 0, on_deleted, d, &why);
		e = &why;
	}
	if (r < 0)
		fail(d, r, e);
	else
		d->asked = true;
}

static void begin(struct deletion *d)
{
	struct task *t = d->task;
	struct err e;
	int r = link_open(t, &e);

	if (r == -ENOENT || r == -ECONNREFUSED) {
		clean_up(d);
		return;
	}
	if (r >= 0) {
		link_use(t);
		d->linked = true;
		operation_phase(&d->p, "greet the shim");
		r = link_greet(t, GREET_HELLO | GREET_STATE, NULL, &e);
	}
	if (r < 0)
		fail(d, r, &e);
	else
		link_wait(t, &d->waiter);
}

/* ---- the lock ---------------------------------------------------------------- */

static int on_again(struct source *s, uint32_t events)
{
	struct deletion *d = (struct deletion *)((char *)s - offsetof(struct deletion, again));
	const struct engine_task *t = &d->task->t;
	struct err e;
	int r;

	if (d->task->ending)
		r = -EAGAIN; /* it is about to be gone */
	else if (t->now.status == ENGINE_GONE)
		r = -ENOENT;
	else
		r = bundle_lock(&d->bundle, t->engine->settings.state, t->namespace, t->id);
	if (r == -EAGAIN) {
		d->pause = d->pause * 2 < PAUSE_MAX_MS ? d->pause * 2 : PAUSE_MAX_MS;
		return source_timer(&d->again, t->engine->loop, d->pause, on_again);
	}
	if (r == -ENOENT)
		fail(d, task_not_found(d->task, &e), &e);
	else if (r < 0)
		fail(d, err_sys(&e, r, "lock '%s'", t->bundle), &e);
	else {
		d->task->deletion = d;
		begin(d);
	}
	return 0;
}

int engine_delete(struct engine_task *t, struct engine_op *op, struct err *e)
{
	struct deletion *d;

	if (t->now.status == ENGINE_GONE)
		return task_not_found(task_of(t), e);
	if (task_of(t)->deletion)
		return err_set(e, ERR_STATE, 0, "task %s: is being deleted", t->id);
	d = calloc(1, sizeof *d);
	if (!d)
		return err_sys(e, -ENOMEM, "delete task %s", t->id);
	d->task = task_ref(task_of(t));
	d->bundle = (struct bundle)BUNDLE_INIT;
	d->waiter.ready = on_ready;
	d->pause = PAUSE_MS;
	d->until = (uint64_t)clock_ms() + BUSY_MAX_MS;
	operation_begin(t->engine, op, &d->p, DELETE_MS, stop);
	operation_phase(&d->p, "lock the bundle");
	return source_timer(&d->again, t->engine->loop, 0, on_again);
}
