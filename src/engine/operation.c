/* What callers have begun: deadlines, cancelling, and the one end of each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_parts.h"
#include "err.h"

static void unlink_progress(struct engine_progress *p)
{
	struct engine *en = p->engine;

	source_remove(&p->deadline);
	*(p->prev ? &p->prev->next : &en->operations) = p->next;
	if (p->next)
		p->next->prev = p->prev;
	p->prev = p->next = NULL;
}

static int on_soon(struct source *s, uint32_t events)
{
	struct engine_progress *p = (struct engine_progress *)((char *)s - offsetof(struct engine_progress, soon));
	struct err e;

	if (p->why)
		e = *p->why;
	else
		err_sys(&e, p->result, "%s", p->op ? p->op->phase : "end");
	free(p->why);
	p->why = NULL;
	p->stop(p, p->result, &e);
	return 0;
}

void operation_stop_soon(struct engine_progress *p, int r, const struct err *e)
{
	if (p->soon.loop)
		return; /* the first reason counts */
	p->result = r;
	p->why = malloc(sizeof *p->why);
	if (p->why)
		*p->why = *e;
	source_timer(&p->soon, p->engine->loop, 0, on_soon);
}

static int on_deadline(struct source *s, uint32_t events)
{
	struct engine_progress *p = (struct engine_progress *)((char *)s - offsetof(struct engine_progress, deadline));
	struct err e;

	source_remove(&p->soon);
	free(p->why);
	p->why = NULL;
	p->stop(p, err_set(&e, ERR_TIMEOUT, -ETIMEDOUT, "%s", p->op->phase), &e);
	return 0;
}

void operation_begin(struct engine *en, struct engine_op *op, struct engine_progress *p, uint32_t default_ms,
		     void (*stop)(struct engine_progress *p, int r, const struct err *e))
{
	uint32_t ms = op->timeout_ms ? op->timeout_ms : default_ms;

	p->engine = en;
	p->op = op;
	p->stop = stop;
	p->next = en->operations;
	if (p->next)
		p->next->prev = p;
	en->operations = p;
	op->progress = p;
	op->task = NULL;
	op->tasks = NULL;
	op->n_tasks = op->len = 0;
	op->payload = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(op->fds); i++)
		op->fds[i] = -1;
	op->n_phases = 0;
	op->shim_us = 0;
	op->phase = NULL;
	operation_phase(p, "begin");
	if (ms)
		source_timer(&p->deadline, en->loop, ms, on_deadline);
}

static uint64_t us_between(const struct timespec *from, const struct timespec *to)
{
	return (uint64_t)((to->tv_sec - from->tv_sec) * 1000000 + (to->tv_nsec - from->tv_nsec) / 1000);
}

/* One that comes again is counted with the first. */
static void phase_is_over(struct engine_op *op, const struct timespec *now)
{
	struct engine_phase *v = op->phases;
	unsigned i = 0;

	uint64_t us = us_between(&op->since, now);

	while (i < op->n_phases && strcmp(v[i].words, op->phase) != 0)
		i++;
	if (i == ENGINE_PHASES_MAX || !us)
		return;
	if (i == op->n_phases)
		v[op->n_phases++] = (struct engine_phase){ .words = op->phase };
	v[i].us += us;
}

void operation_phase(struct engine_progress *p, const char *words)
{
	struct timespec now;

	if (!p->op)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (p->op->phase)
		phase_is_over(p->op, &now);
	p->op->phase = words;
	p->op->since = now;
}

void operation_drop(struct engine_progress *p)
{
	source_remove(&p->soon);
	free(p->why);
	p->why = NULL;
	p->op->progress = NULL;
	unlink_progress(p);
	p->op = NULL;
}

void operation_end(struct engine_progress *p, int r, const struct err *e)
{
	struct engine_op *op = p->op;

	source_remove(&p->soon);
	free(p->why);
	p->why = NULL;
	if (!op)
		return;
	operation_phase(p, op->phase);
	if (p->failed_in)
		op->phase = p->failed_in;
	unlink_progress(p);
	p->op = NULL;
	op->progress = NULL;
	op->done(op, r < 0 ? r : 0, r < 0 ? e : NULL);
}

void engine_cancel(struct engine_op *op)
{
	struct err e;

	if (op->progress)
		operation_stop_soon(op->progress, err_set(&e, ERR_INTERNAL, -ECANCELED, "%s", op->phase), &e);
}
