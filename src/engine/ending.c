/*
 * A task that somebody watches has lost the connection to its shim. If the shim
 * lives it is connected to again; else its last events are told from the journal
 * it has left, and what it did not delete itself is cleaned up.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "clock.h"
#include "engine_parts.h"
#include "fd.h"
#include "log.h"
#include "sys.h"

/* A process that ends closes its connections some time before it is gone; one
 * that does not listen any more gets some time to come to its end. */
enum { AGAIN_MS = 20, AGAIN_MAX_MS = 1000, END_MS = 30000 };

struct ending {
	struct task *task; /* with a reference */
	int pidfd;
	struct source process, again;
	uint32_t pause;
	int64_t until;
	struct cleanup *cleanup;
	struct bundle bundle;
	bool telling, left; /* its events are being told; meanwhile everybody has left */
};

static int on_again(struct source *s, uint32_t events);

void ending_free(struct ending *x)
{
	if (x->telling) {
		x->left = true;
		return;
	}
	source_remove(&x->process);
	source_remove(&x->again);
	if (x->cleanup)
		cleanup_forget(x->cleanup);
	fd_closep(&x->pidfd);
	bundle_unlock(&x->bundle);
	x->task->ending = NULL;
	task_unref(x->task);
	free(x);
}

static void finish(struct ending *x, bool lost)
{
	struct task *t = task_ref(x->task);

	ending_free(x);
	if (t->deletion)
		deletion_shim_ended(t->deletion);
	else
		task_gone(t, lost);
	task_unref(t);
}

/* False: nobody is interested any more, and it is freed. */
static bool tell_events(struct ending *x, const Containerd__Task__V2__DeleteResponse *end)
{
	x->telling = true;
	events_replay(x->task, end);
	x->telling = false;
	if (!x->left)
		return true;
	ending_free(x);
	return false;
}

/* ---- one that was not expected ---------------------------------------------- */

static void set_stopped(struct task *t, const Containerd__Task__V2__DeleteResponse *m)
{
	if (m && t->t.now.status != ENGINE_STOPPED && !t->deleted)
		task_set_stopped(t, m->pid, m->exit_status, m->exited_at);
}

static void on_cleaned(struct cleanup *c, enum cleanup_result result)
{
	struct ending *x = c->ctx;

	x->cleanup = NULL;
	if (result == CLEANUP_BUSY || result == CLEANUP_ALIVE)
		task_log(LOG_LEVEL_ERROR, x->task, "failed to clean up after a dead shim: another is at it", NULL);
	if (!tell_events(x, c->answer))
		return;
	set_stopped(x->task, c->answer);
	/* Of a foreign one nobody hears that another program has deleted it. */
	finish(x, !x->task->foreign || result != CLEANUP_NOTHING);
}

static void ended(struct ending *x)
{
	struct task *t = x->task;

	source_remove(&x->process);
	source_remove(&x->again);
	/* What another program adds while it cleans up is told when that is done. */
	if ((t->deletion || events_are_complete(t)) && !tell_events(x, NULL))
		return;
	task_log(t->deleted || t->deletion ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, t, "shim reaped", NULL);
	if (t->deletion) {
		finish(x, false);
		return;
	}
	if (!t->deleted) {
		x->cleanup = cleanup_begin(t, 0, NULL, -1, on_cleaned, x);
		if (!x->cleanup)
			finish(x, true);
		return;
	}
	/* Whoever deleted it, the shim itself or another program, has the bundle's
	 * lock, or has removed the bundle; one that was killed meanwhile has not. */
	if (bundle_lock(&x->bundle, t->t.engine->settings.state, t->t.namespace, t->t.id) >= 0)
		cleanup_begin(t, CLEANUP_QUIET, &x->bundle, -1, NULL, NULL);
	finish(x, false);
}

static int on_process(struct source *s, uint32_t events)
{
	ended((struct ending *)((char *)s - offsetof(struct ending, process)));
	return 0;
}

/* ---- one that lives after all ------------------------------------------------ */

static bool connect_again(struct ending *x, int *r)
{
	struct task *t = x->task;
	struct err e;

	*r = link_open(t, &e);
	if (*r < 0)
		return false;
	*r = link_greet(t, greet_all(t->t.engine), NULL, &e);
	if (*r < 0) {
		if (t->link)
			link_close(t->link);
		return false;
	}
	ending_free(x);
	return true;
}

static int on_again(struct source *s, uint32_t events)
{
	struct ending *x = (struct ending *)((char *)s - offsetof(struct ending, again));
	bool refused;
	int r;

	if (!x->task->deletion && connect_again(x, &r))
		return 0;
	refused = x->task->deletion || r == -ENOENT || r == -ECONNREFUSED;
	if (refused && x->pidfd < 0) {
		ended(x);
		return 0;
	}
	if (refused && clock_ms() >= x->until) {
		task_log(LOG_LEVEL_ERROR, x->task, "failed to stop monitoring: its shim lives, but is deaf", NULL);
		finish(x, true);
		return 0;
	}
	x->pause = x->pause * 2 < AGAIN_MAX_MS ? x->pause * 2 : AGAIN_MAX_MS;
	return source_timer(&x->again, x->task->t.engine->loop, x->pause, on_again);
}

void ending_begin(struct task *t, int pidfd)
{
	struct ending *x = calloc(1, sizeof *x);

	if (!x) {
		if (pidfd >= 0)
			sys_close(pidfd);
		task_gone(t, true);
		return;
	}
	x->task = task_ref(t);
	x->pidfd = pidfd;
	x->bundle = (struct bundle)BUNDLE_INIT;
	x->pause = AGAIN_MS;
	x->until = clock_ms() + END_MS;
	t->ending = x;
	if (t->t.now.status != ENGINE_GONE && !t->deleted && t->t.now.status != ENGINE_STOPPED)
		t->t.now.status = ENGINE_UNKNOWN;
	if (pidfd >= 0 && source_fd(&x->process, t->t.engine->loop, pidfd, EPOLLIN, on_process) < 0)
		fd_closep(&x->pidfd);
	source_timer(&x->again, t->t.engine->loop, AGAIN_MS, on_again);
}
