/*
 * HCSSHIM_MAX_PARALLEL_START: so many starts of this process are in progress, the
 * others wait in order. Whatever ends a start frees its place.
 */
#include "system.h"

#include "clock.h"

static void go(struct request *rq)
{
	lib.gate.in_progress++;
	rq->in_gate = true;
	rq->go(rq);
}

void gate_enter(struct request *rq, void (*on_go)(struct request *rq))
{
	struct gate *g = &lib.gate;

	rq->go = on_go;
	if (!lib.timeouts.parallel_starts || g->in_progress < lib.timeouts.parallel_starts) {
		go(rq);
		return;
	}
	if (rq->op)
		op_phase(rq->op, "queue for HCSSHIM_MAX_PARALLEL_START");
	rq->link = NULL;
	*g->last = rq;
	g->last = &rq->link;
}

bool gate_leave_queue(struct request *rq)
{
	struct gate *g = &lib.gate;

	for (struct request **at = &g->first; *at; at = &(*at)->link) {
		if (*at != rq)
			continue;
		*at = rq->link;
		if (!*at)
			g->last = at;
		return true;
	}
	return false;
}

void gate_done(struct request *rq)
{
	struct gate *g = &lib.gate;
	struct request *next;

	if (!rq->in_gate)
		return;
	rq->in_gate = false;
	g->in_progress--;
	if (g->calling)
		return;
	/* Those whose shims have gone are over at once, and there may be thousands. */
	g->calling = true;
	while ((next = g->first) && g->in_progress < lib.timeouts.parallel_starts) {
		g->first = next->link;
		if (!g->first)
			g->last = &g->first;
		if (next->op)
			next->op->queued_ms = clock_ms() - next->begun_ms;
		go(next);
	}
	g->calling = false;
}
