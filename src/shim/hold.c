/* Tasks that live as long as somebody holds them; see hold.h. */
#include "hold.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "identifier.h"
#include "job.h"
#include "log.h"
#include "service.h"
#include "shim.h"
#include "str.h"

#define KEEP BERTH__SHIM__V1__LIFETIME__KEEP
#define TERMINATE BERTH__SHIM__V1__LIFETIME__TERMINATE

/* A bundle that cannot be removed (something is mounted in it) stays after so many. */
enum { AGAIN_MS = 1000, AGAIN_MAX_MS = 60 * 1000, BUNDLE_FAILURES = 5 };

struct hold {
	struct hold *next;
	const struct ttrpc_peer *peer;
};

struct holding *holding_find(struct shim *s, const char *id)
{
	struct holding *h = s->holdings;

	while (h && strcmp(h->id, id) != 0)
		h = h->next;
	return h;
}

static struct holding *holding_new(struct shim *s, const char *id, const char *bundle, struct task *t)
{
	struct holding *h = calloc(1, sizeof *h);

	if (!h)
		return NULL;
	h->id = strdup(id);
	h->bundle = strdup(bundle);
	if (!h->id || !h->bundle) {
		free(h->id);
		free(h->bundle);
		free(h);
		return NULL;
	}
	h->shim = s;
	h->task = t;
	h->lifetime = KEEP;
	if (t)
		t->holding = h;
	h->next = s->holdings;
	s->holdings = h;
	return h;
}

static void on_gone(struct ttrpc_call *call)
{
	((struct holding *)call->ctx)->release = NULL;
}

static void answer(struct holding *h, int r, const struct err *e)
{
	struct ttrpc_call *call = h->release;

	if (!call)
		return;
	h->release = NULL;
	call->gone = NULL;
	call_end(call, r, e);
}

static void let_go(struct hold **at)
{
	struct hold *hold = *at;

	*at = hold->next;
	free(hold);
}

void holding_free(struct holding *h)
{
	struct holding **at = &h->shim->holdings;

	answer(h, 0, NULL);
	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	while (h->holds)
		let_go(&h->holds);
	if (h->task)
		h->task->holding = NULL;
	source_remove(&h->again);
	free(h->id);
	free(h->bundle);
	free(h);
}

static struct hold **hold_of(struct holding *h, const struct ttrpc_peer *peer)
{
	struct hold **at = &h->holds;

	while (*at && (*at)->peer != peer)
		at = &(*at)->next;
	return at;
}

unsigned holding_count(const struct holding *h)
{
	unsigned n = 0;

	for (const struct hold *at = h ? h->holds : NULL; at; at = at->next)
		n++;
	return n;
}

bool holding_any(const struct shim *s)
{
	for (const struct holding *h = s->holdings; h; h = h->next)
		if (h->holds)
			return true;
	return false;
}

/* ---- the end -------------------------------------------------------------- */

static void look(struct holding *h);

static int on_again(struct source *src, uint32_t events)
{
	look((struct holding *)((char *)src - offsetof(struct holding, again)));
	return 0;
}

static void failed(struct holding *h, const char *what, const struct err *e)
{
	uint32_t ms = h->failures < 6 ? AGAIN_MS << h->failures : AGAIN_MAX_MS;
	char text[1200];

	h->failures++;
	log_printf(LOG_LEVEL_ERROR, "task %s, which nobody holds: %s: %s", h->id, what, err_text(e, text, sizeof text));
	answer(h, -1, e);
	source_timer(&h->again, h->shim->loop, ms, on_again);
}

static void bundle_removed(struct holding *h)
{
	struct task *t = h->task;
	struct shim *s = h->shim;

	holding_free(h);
	task_free(t);
	if (!s->tasks && !holding_any(s))
		shim_stop(s);
}

static void on_bundle_removed(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	struct holding *h = j->task->holding;

	if (r < 0 && h->failures < BUNDLE_FAILURES) {
		failed(h, "its bundle cannot be removed", e);
		return;
	}
	if (r < 0)
		answer(h, r, e);
	bundle_removed(h);
}

static void remove_bundle(struct holding *h)
{
	struct order o = job_order(h->task);
	struct job *j;
	struct err e;

	if (operation_remove_small_bundle(&o) >= 0) {
		bundle_removed(h);
		return;
	}
	j = job_new(h->task, NULL, NULL, on_bundle_removed);
	if (j) {
		job_start(j, operation_remove_bundle, NULL);
		return;
	}
	err_sys(&e, -ENOMEM, "begin");
	failed(h, "its bundle cannot be removed", &e);
}

void holding_deleted(struct task *t)
{
	t->ready = false;
	t->holding->failures = 0;
	remove_bundle(t->holding);
}

void holding_not_deleted(struct task *t, const struct err *e)
{
	failed(t->holding, "it cannot be deleted", e);
}

static void not_killed(struct holding *h, const struct err *e)
{
	if (e->kind == ERR_NOT_FOUND || e->kind == ERR_STATE)
		return; /* it has ended */
	h->killing = false;
	h->not_killed = true;
	failed(h, "it cannot be killed", e);
}

static void on_killed(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	if (r < 0)
		not_killed(j->task->holding, e);
}

/* What is frozen is killed in its cgroup, by the runtime, and once. */
static void kill_task(struct holding *h)
{
	struct process *p = &h->task->init;
	struct err e;
	struct job *j;

	if (!h->ending)
		process_asked(p, SIGKILL, true);
	h->ending = true;
	if (p->state != LIFE_PAUSED) {
		if (process_signal(p, SIGKILL, &e) < 0)
			not_killed(h, &e);
		return;
	}
	j = h->killing ? NULL : job_new(h->task, NULL, NULL, on_killed);
	if (!j)
		return;
	h->killing = true;
	j->order.sig = SIGKILL;
	job_start(j, h->task->runtime.ops->kill, NULL);
}

/* There is no task: one of this name keeps others from it, and the job needs it. */
static void end_before_create(struct holding *h)
{
	struct err e;

	if (h->lifetime <= KEEP || h->shim->stopping) {
		holding_free(h);
		return;
	}
	h->ending = true;
	h->task = task_new(h->shim, h->id, h->bundle);
	if (h->task) {
		h->task->holding = h;
		remove_bundle(h);
		return;
	}
	err_sys(&e, -ENOMEM, "begin");
	failed(h, "its bundle cannot be removed", &e);
}

/* A Release that waits is answered when there is nothing to be done for it. */
static void look(struct holding *h)
{
	struct task *t = h->task;
	struct err e;

	if (h->not_killed && t->init.state == LIFE_STOPPED) {
		h->not_killed = false; /* it has ended by itself */
		source_remove(&h->again);
	}
	if (h->again.loop)
		return;
	if (h->holds || (t && h->lifetime <= KEEP)) {
		answer(h, 0, NULL);
	} else if (!t) {
		end_before_create(h);
	} else if (!t->ready) { /* its Create is at work, or its bundle is all that is left */
		if (h->ending && !t->n_jobs)
			remove_bundle(h);
	} else if (t->init.state != LIFE_STOPPED) {
		if (h->lifetime != TERMINATE && !h->ending)
			answer(h, 0, NULL);
		else if (!t->init.ended)
			kill_task(h);
	} else if (!t->init.busy && !t->init.deletion) {
		h->ending = true;
		if (deletion_begin(&t->init, NULL, &e) < 0)
			holding_not_deleted(t, &e);
	}
}

void holding_settle(struct shim *s, const struct task *t)
{
	struct holding *h = s->holdings;

	while (h && h->task != t)
		h = h->next;
	if (h)
		look(h);
}

void holding_lost(struct task *t)
{
	struct holding *h = t->holding;

	if (!h)
		return;
	t->holding = NULL;
	h->task = NULL;
	if (t->ready) /* deleted by somebody */
		holding_free(h);
	else
		look(h);
}

/* ---- holding and releasing ------------------------------------------------ */

static int find(struct shim *s, const Berth__Shim__V1__HoldRequest *q, struct holding **ret, struct err *e)
{
	struct holding *h = holding_find(s, q->id);
	struct task *t = task_find_any(s, q->id);
	const char *bundle = t ? t->bundle : h ? h->bundle : NULL;

	if (h && h->ending)
		return err_set(e, ERR_NOT_FOUND, 0, "task %s", q->id);
	if (!*q->bundle && (!t || !t->ready))
		return err_set(e, ERR_NOT_FOUND, 0, "task %s", q->id);
	if (*q->bundle && bundle && strcmp(bundle, q->bundle) != 0)
		return err_set(e, ERR_EXISTS, 0, "task %s, whose bundle is '%s'", q->id, bundle);
	if (!h)
		h = holding_new(s, q->id, bundle ? bundle : q->bundle, t);
	if (!h)
		return err_sys(e, -ENOMEM, "hold");
	*ret = h;
	return 0;
}

static int check(const Berth__Shim__V1__HoldRequest *q, struct err *e)
{
	int r = identifier_check(q->id, e);

	if (r >= 0 && (q->lifetime < 0 || q->lifetime > TERMINATE))
		r = err_set(e, ERR_INVALID, 0, "lifetime: %d", (int)q->lifetime);
	if (r >= 0 && *q->bundle && *q->bundle != '/')
		r = err_set(e, ERR_INVALID, 0, "bundle: '%s' is no absolute path", q->bundle);
	return r;
}

int holding_hold(struct shim *s, const struct ttrpc_peer *peer, const Berth__Shim__V1__HoldRequest *q,
		 Berth__Shim__V1__HoldResponse *ret, struct err *e)
{
	struct holding *h = NULL;
	struct hold **at;
	int r = check(q, e);

	if (r >= 0)
		r = find(s, q, &h, e);
	if (r < 0)
		return r;
	at = hold_of(h, peer);
	if (!*at) {
		*at = calloc(1, sizeof **at);
		if (!*at) {
			if (!h->holds && h->lifetime == KEEP)
				holding_free(h);
			return err_sys(e, -ENOMEM, "hold");
		}
		(*at)->peer = peer;
	}
	if (q->lifetime)
		h->lifetime = q->lifetime;
	look(h); /* whoever released it last need not wait any more */
	ret->lifetime = h->lifetime;
	ret->holders = holding_count(h);
	ret->create_us = h->task ? h->task->init.create_us : 0;
	return 0;
}

void holding_release(struct shim *s, struct ttrpc_call *call, const char *id)
{
	struct holding *h = holding_find(s, id);
	struct hold **at = h ? hold_of(h, call->peer) : NULL;
	struct err e;

	if (!at || !*at) {
		err_set(&e, ERR_NOT_FOUND, 0, "task %s is not held by this connection", id);
		ttrpc_fail(call, &e);
		return;
	}
	let_go(at);
	if (h->holds) {
		call_empty(call);
		return;
	}
	h->release = call;
	call->ctx = h;
	call->gone = on_gone;
	look(h);
}

void holding_left(struct ttrpc_server *server, const struct ttrpc_peer *peer)
{
	struct shim *s = server->ctx;

	for (struct holding *h = s->holdings, *next; h; h = next) {
		struct hold **at = hold_of(h, peer);

		next = h->next;
		if (!*at)
			continue;
		let_go(at);
		look(h);
	}
}
