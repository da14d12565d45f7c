/*
 * The engine's tasks, whoever made them: all are watched, so that their events go on
 * the bus and a list is answered from memory. What is there when we start is looked
 * at while calls are served already, some at a time; what others make is noticed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus.h"
#include "cursors.h"
#include "daemon_settings.h"
#include "discover.h"
#include "hosting.h"
#include "log.h"
#include "str.h"
#include "sys.h"
#include "tasks.h"
#include "tasks_left.h"
#include "told.h"

/* One that is being made: it is looked at again, twice as much later each time. */
enum { AGAIN_MS = 2, AGAIN_MAX_MS = 256, NEW_MS = 120000 };
/* Of those that are there when we start, so many are looked at a time: what each
 * connection takes is still in the processor's caches, and calls have their turn in
 * between. Those that take their time let the next go. */
enum { AT_ONCE = 8, SLOW_MS = 10 };

struct looking {
	struct engine_op op;
	struct looking *next, **link;
	struct daemon *d;
	char *namespace, *id;
	bool is_new;
	bool is_at_work; /* and counted as such */
	struct looking *next_turn;
	uint32_t again_ms, waited_ms;
	struct source again;
};

struct tasks {
	struct discover discover;
	struct looking *list;
	unsigned n_first; /* of those that were there when we began: not looked at yet */
	struct looking *queue; /* those of them that have not had their turn */
	unsigned at_work;
	bool has_failed; /* at one that may be there still */
	struct loop *loop;
	struct source turn, slow;
	struct told_list told;
};

static int on_turn(struct source *s, uint32_t events);

/* It is none of those any more that were there when we began. */
static void leave_first(struct looking *k)
{
	struct tasks *all = k->d->tasks;

	all->n_first -= !k->is_new;
	all->at_work -= k->is_at_work;
	k->is_new = true;
	k->is_at_work = false;
	if (all->queue && !all->turn.loop)
		source_timer(&all->turn, all->loop, 0, on_turn);
}

static void looking_free(struct looking *k)
{
	leave_first(k);
	*k->link = k->next;
	if (k->next)
		k->next->link = k->link;
	source_remove(&k->again);
	free(k->namespace);
	free(k->id);
	free(k);
}

static void look(struct looking *k);

static int on_again(struct source *s, uint32_t events)
{
	look((struct looking *)((char *)s - offsetof(struct looking, again)));
	return 0;
}

/* As long as its directory is there. */
static bool look_again(struct looking *k)
{
	OWN_SB struct sb path = SB_INIT;

	if (k->waited_ms > NEW_MS)
		return false;
	sb_printf(&path, "%s/%s/%s", k->d->settings->engine.state, k->namespace, k->id);
	if (path.failed || sys_faccessat(AT_FDCWD, path.s, F_OK) < 0)
		return false;
	k->again_ms = k->again_ms ? 2 * k->again_ms : AGAIN_MS;
	if (k->again_ms > AGAIN_MAX_MS)
		k->again_ms = AGAIN_MAX_MS;
	k->waited_ms += k->again_ms;
	leave_first(k);
	return source_timer(&k->again, &k->d->loop, k->again_ms, on_again) >= 0;
}

/* Somebody is making it; or we have too little of something, now. */
static bool may_pass(const struct err *e)
{
	return e->kind == ERR_NOT_FOUND || e->sys == EMFILE || e->sys == ENFILE || e->sys == ENOMEM;
}

static void on_looked(struct engine_op *op, int r, const struct err *e)
{
	struct looking *k = op->ctx;
	char text[sizeof e->msg + 256];

	if (r < 0 && r != -ECANCELED && may_pass(e) && look_again(k))
		return;
	if (r < 0 && r != -ECANCELED && e->kind != ERR_NOT_FOUND) {
		k->d->tasks->has_failed = true;
		log_printf(LOG_LEVEL_ERROR, "failed to look at a task: id=%s namespace=%s error=\"%s\"", k->id,
			   k->namespace, err_text(e, text, sizeof text));
	}
	if (r < 0 && e->kind == ERR_NOT_FOUND)
		tasks_tell_left(&k->d->tasks->told, &k->d->settings->engine, k->namespace, k->id);
	looking_free(k);
}

static void look(struct looking *k)
{
	struct err e;

	k->op = (struct engine_op){ .done = on_looked, .ctx = k };
	if (engine_find(k->d->engine, k->namespace, k->id) ||
	    engine_open(k->d->engine, &k->op, k->namespace, k->id, &e) < 0)
		looking_free(k);
}

/* Those that have been at work for some time are no longer counted. */
static int on_slow(struct source *s, uint32_t events)
{
	struct tasks *all = (struct tasks *)((char *)s - offsetof(struct tasks, slow));

	for (struct looking *k = all->list; k; k = k->next)
		k->is_at_work = false;
	all->at_work = 0;
	return all->turn.loop ? 0 : source_timer(&all->turn, all->loop, 0, on_turn);
}

static int on_turn(struct source *s, uint32_t events)
{
	struct tasks *all = (struct tasks *)((char *)s - offsetof(struct tasks, turn));

	while (all->queue && all->at_work < AT_ONCE) {
		struct looking *k = all->queue;

		all->queue = k->next_turn;
		k->is_at_work = true;
		all->at_work++;
		look(k);
	}
	return !all->queue || all->slow.loop ? 0 : source_timer(&all->slow, all->loop, SLOW_MS, on_slow);
}

static void on_found(void *ctx, const char *namespace, const char *id, bool is_new)
{
	struct daemon *d = ctx;
	struct looking *k;

	if (engine_find(d->engine, namespace, id) || engine_makes(d->engine, namespace, id))
		return;
	for (k = d->tasks->list; is_new && k; k = k->next)
		if (!strcmp(k->id, id) && !strcmp(k->namespace, namespace))
			return;
	k = calloc(1, sizeof *k);
	if (!k)
		return;
	k->d = d;
	k->is_new = is_new;
	d->tasks->n_first += !is_new;
	k->link = &d->tasks->list;
	k->next = d->tasks->list;
	if (k->next)
		k->next->link = &k->next;
	d->tasks->list = k;
	k->namespace = strdup(namespace);
	k->id = strdup(id);
	if (!k->namespace || !k->id) {
		looking_free(k);
	} else if (is_new) {
		look(k);
	} else {
		k->next_turn = d->tasks->queue;
		d->tasks->queue = k;
	}
}

int tasks_check_state(const struct daemon *d, struct err *e)
{
	int r = discover_check(&d->tasks->discover, e);
	char text[sizeof e->msg + 256];

	if (r < 0)
		log_printf(LOG_LEVEL_ERROR, "no task is made: %s", err_text(e, text, sizeof text));
	return r;
}

bool tasks_look(const struct daemon *d)
{
	return d->tasks->list || d->tasks->has_failed;
}

void tasks_each_look(struct daemon *d, void (*fn)(void *ctx, const struct task_look *k), void *ctx)
{
	for (const struct looking *k = d->tasks->list; k; k = k->next) {
		const struct engine_op *op = k->op.progress ? &k->op : NULL;
		struct task_look look = {
			.namespace = k->namespace,
			.id = k->id,
			.phase = op ? op->phase : k->again.loop ? "somebody makes it" : "its turn",
			.since = op ? &op->since : NULL,
		};

		fn(ctx, &look);
	}
}

/* ---- what the engine tells ------------------------------------------------------------- */

static void on_event(void *ctx, struct engine_task *t, const struct engine_event *ev)
{
	struct daemon *d = ctx;

	struct bus_event out = {
		.ns = ev->namespace,
		.topic = ev->topic,
		.at = ev->at,
		.type = ev->type,
		.body = ev->body,
		.len = ev->len,
	};

	told_publish(&d->tasks->told, (struct told *)t->user, &out, ev->number);
}

/* All of what others make while we run, or have made since our last run, is news. */
static uint64_t on_told(void *ctx, struct engine_task *t, const char *instance, uint64_t last)
{
	struct daemon *d = ctx;
	struct cursors *c = d->tasks->told.cursors;
	struct told *told = NULL;
	bool is_known = engine_makes(d->engine, t->namespace, t->id) || (d->tasks->n_first && !cursors_had_run(c));
	int row = cursor_find(c, t->namespace, t->id, instance);

	if (row < 0) { /* there may have been one before it, by the same name */
		tasks_tell_left(&d->tasks->told, &d->settings->engine, t->namespace, t->id);
		row = cursor_add(c, t->namespace, t->id, instance, is_known ? last : 0);
	}
	if (row >= 0)
		told = told_new(&d->tasks->told, row);
	t->user = (uintptr_t)told;
	return row < 0 ? last : cursor_at(c, row)->number;
}

static void on_gone(void *ctx, struct engine_task *t, bool lost)
{
	if (t->user)
		told_end((struct told *)t->user);
	t->user = 0;
	if (lost)
		log_printf(LOG_LEVEL_WARNING, "a shim died, and what it left is cleaned up: id=%s namespace=%s",
			   t->id, t->namespace);
}

/* ---- tasks without a shim --------------------------------------------------------------- */

static int on_connect(void *ctx, const struct engine_hosted *t, struct err *e)
{
	const struct shim_host_task task = { t->namespace, t->id, t->bundle, t->instance, t->binary, t->create };
	struct daemon *d = ctx;
	int r = d->host ? 0 : shim_host_new(&d->host, &d->loop, engine_has_child, e);

	return r < 0 ? r : shim_host_connect(d->host, &task, e);
}

/* ---- beginning and end ------------------------------------------------------------------ */

int tasks_begin(struct daemon *d, struct err *e)
{
	const struct engine_watch watch = {
		.event = on_event, .gone = on_gone, .told = on_told, .ctx = d, .looks_on = true
	};
	int r = engine_new(&d->engine, &d->loop, &d->settings->engine, &watch, e);

	if (r < 0)
		return r;
	engine_host(d->engine, &(struct engine_hosting){ .connect = on_connect, .ctx = d });
	d->tasks = calloc(1, sizeof *d->tasks);
	if (!d->tasks)
		return err_sys(e, -ENOMEM, "look for tasks");
	d->tasks->loop = &d->loop;
	d->tasks->discover = (struct discover){ .found = on_found, .ctx = d, .fd = -1 };
	d->tasks->told.bus = d->bus;
	r = cursors_open(&d->tasks->told.cursors, d->settings->engine.state, d->settings->root, e);
	if (r < 0)
		return r;
	if (cursors_had_run(d->tasks->told.cursors))
		r = bus_keep(d->bus, e);
	if (r < 0)
		return r;
	tasks_tell_all_left(&d->tasks->told, &d->settings->engine);
	r = discover_begin(&d->tasks->discover, &d->loop, d->settings->engine.state, e);
	return r < 0 ? r : source_timer(&d->tasks->turn, &d->loop, 0, on_turn);
}

void tasks_stop_telling(struct daemon *d)
{
	if (d->tasks)
		told_stop(&d->tasks->told);
}

void tasks_end(struct daemon *d)
{
	struct looking *next;

	if (d->tasks) {
		discover_end(&d->tasks->discover);
		d->tasks->queue = NULL;
		source_remove(&d->tasks->slow);
	}
	if (d->engine)
		engine_free(d->engine);
	d->engine = NULL;
	if (d->host)
		shim_host_free(d->host);
	d->host = NULL;
	for (struct looking *k = d->tasks ? d->tasks->list : NULL; k; k = next) {
		next = k->next;
		looking_free(k);
	}
	if (d->tasks)
		source_remove(&d->tasks->turn);
	if (d->tasks)
		told_free_all(&d->tasks->told);
	if (d->tasks && d->tasks->told.cursors)
		cursors_close(d->tasks->told.cursors);
	free(d->tasks);
	d->tasks = NULL;
}
