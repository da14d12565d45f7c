/*
 * What is left of a task without a shim: the shim program's `delete` ends and
 * removes the container and tells of it in the journal, then the bundle goes.
 * Under the bundle's lock, so that no two programs do it at a time; the loop
 * never waits for that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "clock.h"
#include "engine_parts.h"
#include "fd.h"
#include "file.h"
#include "log.h"
#include "proc.h"
#include "sys.h"

/* For the lock; for a shim to end; for `delete`, where a poststop hook may take
 * its minute. */
enum { LOCK_MS = 60000, SHUTDOWN_MS = 3000, SHIM_END_MS = 10000, DELETE_MS = 90000, PAUSE_MS = 10, PAUSE_MAX_MS = 320 };
enum { DELETES_MAX = 16 }; /* at a time */

static void lock(struct cleanup *c);

/* ---- its end ---------------------------------------------------------------- */

static void begin_next(struct engine *en);

static void release(struct cleanup *c)
{
	source_remove(&c->again);
	source_remove(&c->process);
	waiter_leave(&c->hosted);
	fd_closep(&c->pidfd);
	bundle_unlock(&c->bundle);
	child_done(&c->child, false);
	if (c->answer)
		containerd__task__v2__delete_response__free_unpacked(c->answer, NULL);
	if (c->flags & CLEANUP_ORPHAN)
		link_unuse(c->task);
	task_unref(c->task);
	free(c);
}

static void cleanup_free(struct cleanup *c)
{
	if (c->counted)
		c->engine->n_deletes--;
	*(c->prev ? &c->prev->next : &c->engine->cleanups) = c->next;
	if (c->next)
		c->next->prev = c->prev;
	release(c);
}

static void finish(struct cleanup *c, enum cleanup_result result)
{
	struct engine *en = c->engine;

	bundle_unlock(&c->bundle);
	if (c->done)
		c->done(c, result);
	cleanup_free(c);
	begin_next(en);
}

static void fail(struct cleanup *c)
{
	task_log(LOG_LEVEL_ERROR, c->task, "failed to clean up after a dead shim", &c->why);
	finish(c, CLEANUP_FAILED);
}

static void remove_bundle(struct cleanup *c)
{
	int r = bundle_remove(&c->bundle);

	if (c->task->foreign && c->task->address)
		shim_remove_socket(c->task->address);
	if (r < 0) { /* it is out of sight; whoever looks next tries again */
		err_sys(&c->why, r, "remove '%s'", c->task->t.bundle);
		task_log(LOG_LEVEL_WARNING, c->task, "the bundle is not removed", &c->why);
	}
	finish(c, CLEANUP_DONE);
}

/* ---- the shim's `delete` ---------------------------------------------------- */

static void end_container(struct cleanup *c);

static void on_deleted(struct child *child)
{
	struct cleanup *c = child->ctx;
	char words[512];
	int level;

	if (child->status > 128 && !child->timed_out && !c->again_once) { /* killed: not its fault */
		c->again_once = true;
		child_done(child, false);
		child_init(child, on_deleted, c);
		end_container(c);
		return;
	}
	if (!child->out.failed && child->out.len)
		c->answer = containerd__task__v2__delete_response__unpack(NULL, child->out.len,
									  (const uint8_t *)child->out.s);
	if (child->status == 0 || (child->status == -ECHILD && c->answer)) {
		remove_bundle(c);
		return;
	}
	err_set(&c->why, child->timed_out ? ERR_TIMEOUT : ERR_INTERNAL, 0, "the shim's delete: %s",
		child_words(child, words, sizeof words));
	/* One that did not get to its end may have left a container that runs. */
	if (child->timed_out || child->status < 0 || child->status > 128 ||
	    (c->engine->settings.shim_debug && !(c->flags & CLEANUP_QUIET))) {
		fail(c);
		return;
	}
	/* A foreign one may not know what to do where nothing was made. */
	level = c->task->foreign && c->flags & CLEANUP_QUIET ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR;
	task_log(level, c->task, "failed to clean up after a dead shim", &c->why);
	remove_bundle(c);
}

/* A shim that never wrote where it listens has made nothing. */
static bool nothing_was_made(const struct cleanup *c)
{
	return sys_faccessat(c->bundle.fd, "address", F_OK) == -ENOENT &&
	       sys_faccessat(c->bundle.fd, "berth.json", F_OK) == -ENOENT;
}

static void run_delete(struct cleanup *c)
{
	struct shim_order o = {
		.namespace = c->task->t.namespace,
		.id = c->task->t.id,
		.bundle = c->task->t.bundle,
		.directory = c->bundle.fd,
		.foreign = c->task->foreign,
		.timeout_ms = DELETE_MS,
	};

	c->queued = false;
	if (!c->counted)
		c->engine->n_deletes++;
	c->counted = true;
	if (shim_command_delete(c->engine, &c->child, &o, &c->why) < 0)
		fail(c);
}

/* All shims may have been killed at the same time. */
static void begin_next(struct engine *en)
{
	struct cleanup *c = en->cleanups;

	while (c && !c->queued)
		c = c->next;
	if (c && en->n_deletes < DELETES_MAX && !en->ending)
		run_delete(c);
}

static void end_container(struct cleanup *c)
{
	if (nothing_was_made(c)) {
		remove_bundle(c);
		return;
	}
	if (!(c->flags & CLEANUP_QUIET))
		task_log(LOG_LEVEL_WARNING, c->task, "cleaning up after a dead shim", NULL);
	c->queued = true;
	if (c->counted || c->engine->n_deletes < DELETES_MAX)
		run_delete(c);
}

/* ---- a shim that has to go first -------------------------------------------- */

static int on_shim_late(struct source *s, uint32_t events)
{
	struct cleanup *c = (struct cleanup *)((char *)s - offsetof(struct cleanup, again));

	source_remove(&c->process);
	waiter_leave(&c->hosted);
	if (c->flags & CLEANUP_QUIET) {
		end_container(c);
	} else if (c->flags & CLEANUP_KILL) {
		err_set(&c->why, ERR_TIMEOUT, -ETIMEDOUT, "end the shim");
		fail(c);
	} else {
		finish(c, CLEANUP_ALIVE);
	}
	return 0;
}

static int on_shim_ended(struct source *s, uint32_t events)
{
	struct cleanup *c = (struct cleanup *)((char *)s - offsetof(struct cleanup, process));

	source_remove(&c->process);
	source_remove(&c->again);
	end_container(c);
	return 0;
}

/* What it was at is over when it closes the connection. */
static void on_hosted(struct waiter *w, int r, const struct err *e)
{
	struct cleanup *c = (struct cleanup *)((char *)w - offsetof(struct cleanup, hosted));

	if (r >= 0 && c->task->link) {
		link_wait(c->task, w);
		return;
	}
	source_remove(&c->again);
	end_container(c);
}

static void wait_for_shim(struct cleanup *c)
{
	struct loop *l = c->engine->loop;

	if (c->task->hosted && c->task->link && ttrpc_client_is_open(&c->task->link->client)) {
		link_wait(c->task, &c->hosted);
		source_timer(&c->again, l, SHIM_END_MS, on_shim_late);
	} else if (c->pidfd >= 0 && source_fd(&c->process, l, c->pidfd, EPOLLIN, on_shim_ended) >= 0)
		source_timer(&c->again, l, SHIM_END_MS, on_shim_late);
	else
		end_container(c);
}

static void on_shut_down(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct cleanup *c = ctx;

	if (c->engine->ending)
		return;
	if (r < 0 && e->kind != ERR_LOST && !(c->flags & CLEANUP_QUIET))
		finish(c, CLEANUP_ALIVE); /* too busy to answer: it is left alone */
	else if (r >= 0 && shim_stays(c->task))
		end_container(c); /* it has other tasks */
	else
		wait_for_shim(c);
}

static void shut_down(struct cleanup *c)
{
	Containerd__Task__V2__ShutdownRequest m = CONTAINERD__TASK__V2__SHUTDOWN_REQUEST__INIT;

	if (c->pidfd < 0)
		c->pidfd = link_dup_pidfd(c->task);
	m.id = c->task->t.id;
	if (link_call(c->task, "Shutdown", &m.base, SHUTDOWN_MS, on_shut_down, c, &c->why) < 0)
		wait_for_shim(c); /* gone by itself */
}

static void end_shim(struct cleanup *c)
{
	if (c->flags & CLEANUP_ORPHAN) {
		shut_down(c);
		return;
	}
	if (c->pidfd >= 0)
		proc_signal(c->pidfd, SIGKILL);
	wait_for_shim(c);
}

/* ---- the lock --------------------------------------------------------------- */

/* Somebody who had the lock before us may have removed the task, and somebody
 * else made another. */
static bool is_still_the_task(struct cleanup *c)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct bundle_record record;

	return !c->task->made || bundle_record_read(&a, c->task->t.bundle, &record, NULL) < 0 ||
	       !strcmp(record.made, c->task->made);
}

static void locked(struct cleanup *c)
{
	if (!is_still_the_task(c))
		finish(c, CLEANUP_NOTHING);
	else if (c->flags & (CLEANUP_ORPHAN | CLEANUP_KILL))
		end_shim(c);
	else
		end_container(c);
}

static int on_again(struct source *s, uint32_t events)
{
	lock((struct cleanup *)((char *)s - offsetof(struct cleanup, again)));
	return 0;
}

static void lock(struct cleanup *c)
{
	const struct engine_task *t = &c->task->t;
	int r = c->bundle.fd >= 0 ? 0 : bundle_lock(&c->bundle, c->engine->settings.state, t->namespace, t->id);

	if (r >= 0) {
		locked(c);
	} else if (r == -ENOENT) {
		finish(c, CLEANUP_NOTHING);
	} else if (r != -EAGAIN) {
		err_sys(&c->why, r, "lock '%s'", t->bundle);
		fail(c);
	} else if ((uint64_t)clock_ms() >= c->until) {
		finish(c, CLEANUP_BUSY);
	} else {
		source_timer(&c->again, c->engine->loop, c->pause, on_again);
		c->pause = c->pause < PAUSE_MAX_MS ? c->pause * 2 : PAUSE_MAX_MS;
	}
}

/* ---- its beginning ---------------------------------------------------------- */

struct cleanup *cleanup_begin(struct task *t, unsigned flags, struct bundle *b, int pidfd,
			      void (*done)(struct cleanup *c, enum cleanup_result result), void *ctx)
{
	struct cleanup *c = calloc(1, sizeof *c);

	if (!c) {
		if (pidfd >= 0)
			sys_close(pidfd);
		return NULL;
	}
	c->engine = t->t.engine;
	c->task = task_ref(t);
	c->flags = flags;
	if (flags & CLEANUP_ORPHAN)
		link_use(t);
	c->bundle = b ? *b : (struct bundle)BUNDLE_INIT;
	if (b)
		*b = (struct bundle)BUNDLE_INIT;
	c->pidfd = pidfd;
	c->until = (uint64_t)clock_ms() + LOCK_MS;
	c->pause = PAUSE_MS;
	c->done = done;
	c->ctx = ctx;
	c->hosted.ready = on_hosted;
	child_init(&c->child, on_deleted, c);
	c->next = c->engine->cleanups;
	if (c->next)
		c->next->prev = c;
	c->engine->cleanups = c;
	source_timer(&c->again, c->engine->loop, 0, on_again);
	return c;
}

void cleanup_forget(struct cleanup *c)
{
	c->done = NULL;
	c->ctx = NULL;
}

/* What `delete` is doing it does without us. */
void cleanups_free(struct engine *en)
{
	for (struct cleanup *c = en->cleanups, *next; c; c = next) {
		next = c->next;
		if (child_runs(&c->child))
			fd_closep(&c->bundle.fd); /* the lock is the child's now */
		release(c);
	}
	en->cleanups = NULL;
}
