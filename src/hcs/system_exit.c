/*
 * The end of a system: what the shim knows of it becomes the SystemExitStatus;
 * then, and not before, those who wait for the exit hear of it.
 */
#include "system.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "berth_shim.pb-c.h"
#include "json.h"
#include "process.h"
#include "results.h"
#include "schema_reply.h"
#include "str.h"

enum { ASK_MS = 10000, AWAIT_MS = 60000 };

struct ending {
	uint32_t status, signal, kill_signal;
	bool kill_all, core_dumped, oom, known, lost;
};

/* ---- the document -------------------------------------------------------------------- */

struct verdict {
	HRESULT status;
	int type, detail, initiator;
};

/*
 * Who wanted it: what was asked for last, if that is what ended it. Every program that looks
 * has to come to the same, so what the shim knows comes before what was asked for here. A
 * signal to all is what shutting down sends.
 */
static struct verdict judge(const struct system *s, const struct ending *end)
{
	bool by_kill = s->killed || end->kill_signal == SIGKILL;
	bool by_stop = s->shut;

	if (end->known)
		by_stop = (end->kill_all && !by_kill) || (int)end->kill_signal == meta_signal(&s->meta);
	if (end->lost)
		return (struct verdict){ HCS_E_SERVICE_DISCONNECT, SCHEMA_EXIT_UNEXPECTED, SCHEMA_DETAIL_FATAL_ERROR,
					 SCHEMA_INITIATOR_INTERNAL };
	if (end->oom && !by_kill)
		return (struct verdict){ HCS_E_UNEXPECTED_EXIT, SCHEMA_EXIT_UNEXPECTED, SCHEMA_DETAIL_UNEXPECTED,
					 SCHEMA_INITIATOR_INTERNAL };
	if (by_kill && (end->signal == SIGKILL || !end->known || s->killed))
		return (struct verdict){ S_OK, SCHEMA_EXIT_FORCED, SCHEMA_DETAIL_TERMINATE, SCHEMA_INITIATOR_CLIENT };
	if (by_stop)
		return (struct verdict){ S_OK, SCHEMA_EXIT_GRACEFUL, SCHEMA_DETAIL_SHUTDOWN,
					 SCHEMA_INITIATOR_CLIENT };
	if (end->signal)
		return (struct verdict){ HCS_E_UNEXPECTED_EXIT, SCHEMA_EXIT_UNEXPECTED, SCHEMA_DETAIL_UNEXPECTED,
					 end->kill_signal == end->signal ? SCHEMA_INITIATOR_CLIENT :
									   SCHEMA_INITIATOR_GUEST };
	return (struct verdict){ S_OK, SCHEMA_EXIT_GRACEFUL, SCHEMA_DETAIL_SHUTDOWN, SCHEMA_INITIATOR_GUEST };
}

static char *print(const struct system *s, const struct ending *end, const struct verdict *v)
{
	struct schema_exit_attribution exit = { v->detail, v->initiator };
	struct schema_process_exit process = { end->status, (int32_t)end->signal, end->core_dumped, end->oom };
	struct schema_attribution list[] = { { .system_exit = &exit }, { .process_exit = &process } };
	const struct schema_exit_status doc = {
		.status = v->status,
		.exit_type = v->type,
		.attribution = list,
		.n_attribution = end->lost && !end->known ? 1 : 2,
	};
	struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	schema_write_exit_status(&w, &doc);
	if (b.failed)
		sb_done(&b);
	return b.failed ? NULL : b.s;
}

/* ---- telling --------------------------------------------------------------------------- */

static void over(struct system *s, const struct ending *end)
{
	const struct verdict v = judge(s, end);

	if (s->exited)
		return;
	s->lost = s->lost || end->lost;
	s->exiting = false;
	s->exit_doc = print(s, end, &v);
	s->exit_type = v.type;
	s->exit_status = end->status;
	s->exit_signal = end->signal;
	s->core_dumped = end->core_dumped;
	s->oom = end->oom;
	s->exited = true;
	while (s->waiting) {
		struct request *rq = s->waiting;

		s->waiting = rq->link;
		request_end(rq, S_OK, NULL, NULL);
	}
	processes_over(s, end->lost);
	system_tell(s);
}

static int on_never(struct source *src, uint32_t events)
{
	struct request *rq = (struct request *)((char *)src - offsetof(struct request, timer)), **at;
	struct err e;

	for (at = &rq->sys->waiting; *at && *at != rq; at = &(*at)->link)
		;
	if (*at)
		*at = rq->link;
	err_set(&e, ERR_TIMEOUT, 0, "every process was killed, but the system has not stopped");
	request_end(rq, result_of(&e), &e, NULL);
	return 0;
}

void system_await_exit(struct system *s, struct request *rq)
{
	if (s->exited) {
		request_end(rq, S_OK, NULL, NULL);
		return;
	}
	rq->link = s->waiting;
	s->waiting = rq;
	(void)source_timer(&rq->timer, &lib.loop, AWAIT_MS, on_never);
}

/* ---- asking ------------------------------------------------------------------------------- */

static void read_properties(struct ending *end, const Berth__Shim__V1__PropertiesResponse *m)
{
	const Berth__Shim__V1__ProcessProperties *p;

	if (!m->n_processes)
		return;
	p = m->processes[0];
	end->known = true;
	end->status = p->exit_status;
	end->signal = p->exit_signal;
	end->core_dumped = p->core_dumped;
	end->oom = p->exit_signal == SIGKILL && p->oom_kills && !p->kill_signal;
	end->kill_signal = p->kill_signal;
	end->kill_all = p->kill_all;
}

static void on_properties(struct request *rq, int r, const struct err *e)
{
	struct system *s = rq->sys;
	struct ending end = { .status = s->exit_status };
	Berth__Shim__V1__PropertiesResponse *m;

	if (r >= 0) {
		m = berth__shim__v1__properties_response__unpack(NULL, rq->eop.len, rq->eop.payload);
		if (m) {
			read_properties(&end, m);
			berth__shim__v1__properties_response__free_unpacked(m, NULL);
		}
	} else {
		end.lost = e->kind == ERR_LOST;
	}
	over(s, &end);
	request_end(rq, S_OK, NULL, NULL);
}

void system_exit_begin(struct system *s, uint32_t status, const struct timespec *at)
{
	Berth__Shim__V1__PropertiesRequest m = BERTH__SHIM__V1__PROPERTIES_REQUEST__INIT;
	struct request *rq;
	struct err e = { 0 };

	if (s->exiting || s->exited)
		return;
	s->exiting = true;
	s->exit_status = status;
	if (at)
		s->exited_at = *at;
	rq = request_for(s, NULL);
	m.id = s->id;
	if (rq) {
		rq->eop.timeout_ms = ASK_MS;
		if (request_call(rq, "Properties", &m.base, on_properties, &e) >= 0)
			return;
	}
	over(s, &(struct ending){ .status = status, .lost = e.kind == ERR_LOST });
	if (rq)
		request_end(rq, S_OK, NULL, NULL);
}

void system_lost(struct system *s)
{
	s->lost = true;
	system_unlist(s);
	over(s, &(struct ending){ .status = s->exiting ? s->exit_status : 255, .lost = true });
	system_tell(s);
}

/* One that ended before is known to have; one that was never started had no exit. */
void system_deleted(struct system *s)
{
	s->deleted = true;
	system_unlist(s);
	if (!s->exited && !s->exiting)
		over(s, &(struct ending){ .status = 0 });
	lib_changed();
}
