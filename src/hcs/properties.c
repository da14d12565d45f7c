/* HcsGetComputeSystemProperties(): what is asked of the shim, step by step. */
#include "properties.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "berth_shim.pb-c.h"
#include "json.h"
#include "problems.h"
#include "results.h"
#include "system.h"
#include "str.h"
#include "task.pb-c.h"

#define ASKED(q, what) ((q)->mask & 1u << SCHEMA_PROPERTY_##what)

struct asked { /* in the request's arena */
	unsigned mask;
	struct schema_property_query *doc;
	struct schema_properties answer;
	struct schema_statistics stats;
	struct schema_memory_info memory;
	bool has_stats;
};

int properties_state(enum sys_state state)
{
	uint64_t value;

	return name_value(schema_state_names, sys_state_name(state), &value) < 0 ? SCHEMA_STATE_UNKNOWN : (int)value;
}

void properties_basic(struct schema_properties *ret, const char *id, const struct system_meta *m,
		      enum sys_state state)
{
	ret->id = id;
	ret->system_type = SCHEMA_SYSTEM_CONTAINER;
	ret->runtime_os_type = "Linux";
	ret->name = m->name ? m->name : m->v1 ? id : NULL;
	ret->owner = m->owner;
	ret->state = properties_state(state);
	if (ret->state == SCHEMA_STATE_STOPPED)
		ret->has_stopped = ret->stopped = true;
}

/* ---- the answer ------------------------------------------------------------------------- */

static int answer_queries(struct request *rq, struct asked *q)
{
	struct schema_properties *out = &q->answer;

	out->responses = arena_calloc(&rq->a, q->doc->n_queries + 1, sizeof *out->responses);
	if (!out->responses)
		return -ENOMEM;
	for (size_t i = 0; i < q->doc->n_queries; i++) {
		const struct schema_named_query *query = &q->doc->queries[i];
		struct schema_property_response *r = &out->responses[out->n_responses++];

		r->name = query->name;
		if (!query->property) {
			r->error = arena_alloc(&rq->a, sizeof *r->error);
			if (!r->error)
				return -ENOMEM;
			r->error->error = HCS_E_ERROR_NOT_SUPPORTED;
			r->error->error_message = arena_printf(&rq->a, "%s: is not supported", query->pointer);
			continue;
		}
		r->response = arena_alloc(&rq->a, sizeof *r->response);
		if (!r->response)
			return -ENOMEM;
		*r->response = (struct schema_properties){ .id = out->id, .system_type = out->system_type };
		if (query->property == SCHEMA_PROPERTY_STATISTICS && q->has_stats)
			r->response->statistics = &q->stats;
		if (query->property == SCHEMA_PROPERTY_MEMORY && q->has_stats)
			r->response->memory = &q->memory;
		if (query->property == SCHEMA_PROPERTY_PROCESS_LIST) {
			r->response->process_list = out->process_list;
			r->response->n_process_list = out->n_process_list;
		}
	}
	return 0;
}

static void answer(struct request *rq)
{
	struct asked *q = rq->mine;
	struct schema_properties *out = &q->answer;
	struct sb b = SB_INIT;
	struct jw w;

	properties_basic(out, rq->sys->id, &rq->sys->meta, system_state(rq->sys));
	if (rq->sys->exited)
		out->exit_type = rq->sys->exit_type;
	if (ASKED(q, TERMINATE)) {
		out->has_terminate = true;
		out->terminate = rq->sys->meta.terminate;
	}
	if (answer_queries(rq, q) < 0) {
		request_end(rq, E_OUTOFMEMORY, NULL, NULL);
		return;
	}
	if (q->has_stats && ASKED(q, STATISTICS))
		out->statistics = &q->stats;
	if (q->has_stats && ASKED(q, MEMORY))
		out->memory = &q->memory;
	jw_init(&w, &b, NULL);
	schema_write_properties(&w, out);
	if (b.failed)
		sb_done(&b);
	request_end(rq, b.failed ? E_OUTOFMEMORY : S_OK, NULL, b.failed ? NULL : b.s);
}

/* ---- the steps ------------------------------------------------------------------------------- */

static void on_pids(struct request *rq, int r, const struct err *e)
{
	Containerd__Task__V2__PidsResponse *m = NULL;
	struct asked *q = rq->mine;
	struct schema_properties *out = &q->answer;

	if (r >= 0)
		m = containerd__task__v2__pids_response__unpack(NULL, rq->eop.len, rq->eop.payload);
	out->process_list = arena_calloc(&rq->a, (m ? m->n_processes : 0) + 1, sizeof *out->process_list);
	for (size_t i = 0; m && out->process_list && i < m->n_processes; i++)
		if (process_details_read(&rq->a, m->processes[i]->pid, &out->process_list[out->n_process_list]))
			out->n_process_list++;
	if (m)
		containerd__task__v2__pids_response__free_unpacked(m, NULL);
	answer(rq);
}

static void ask_pids(struct request *rq)
{
	Containerd__Task__V2__PidsRequest m = CONTAINERD__TASK__V2__PIDS_REQUEST__INIT;
	const struct asked *q = rq->mine;
	struct err e;

	m.id = rq->sys->id;
	if (!ASKED(q, PROCESS_LIST) || request_call(rq, "Pids", &m.base, on_pids, &e) < 0)
		answer(rq);
}

/* A system that is ending has none any more: that is no error. */
static void on_stats(struct request *rq, int r, const struct err *e)
{
	struct asked *q = rq->mine;

	q->has_stats = r >= 0 && stats_read(&rq->a, rq->eop.payload, rq->eop.len, &q->stats, &q->memory) >= 0;
	ask_pids(rq);
}

static void ask_stats(struct request *rq)
{
	Containerd__Task__V2__StatsRequest m = CONTAINERD__TASK__V2__STATS_REQUEST__INIT;
	const struct asked *q = rq->mine;
	struct err e;

	m.id = rq->sys->id;
	if (!(ASKED(q, STATISTICS) || ASKED(q, MEMORY)) || request_call(rq, "Stats", &m.base, on_stats, &e) < 0)
		ask_pids(rq);
}

static void read_times(struct asked *q, const Google__Protobuf__Timestamp *started)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	q->stats.timestamp = now.tv_sec * 1000000000ll + now.tv_nsec;
	if (!started)
		return;
	q->stats.start_time = started->seconds * 1000000000ll + started->nanos;
	if (q->stats.timestamp > q->stats.start_time) /* the clock may have been set back */
		q->stats.uptime_100ns = (uint64_t)(q->stats.timestamp - q->stats.start_time) / 100;
}

static void on_properties(struct request *rq, int r, const struct err *e)
{
	Berth__Shim__V1__PropertiesResponse *m = NULL;
	struct asked *q = rq->mine;

	if (r >= 0)
		m = berth__shim__v1__properties_response__unpack(NULL, rq->eop.len, rq->eop.payload);
	read_times(q, m && m->n_processes ? m->processes[0]->started_at : NULL);
	if (m && m->lifetime)
		rq->sys->meta.terminate = m->lifetime == BERTH__SHIM__V1__LIFETIME__TERMINATE;
	if (m)
		berth__shim__v1__properties_response__free_unpacked(m, NULL);
	ask_stats(rq);
}

/* ---- the call --------------------------------------------------------------------------------- */

static HRESULT begin(struct request *rq, const char *query)
{
	Berth__Shim__V1__PropertiesRequest m = BERTH__SHIM__V1__PROPERTIES_REQUEST__INIT;
	const struct schema_source src = { .text = query, .len = query ? strlen(query) : 0, .name = "query" };
	struct asked *q = arena_alloc(&rq->a, sizeof *q);
	struct err e;

	if (!q)
		return E_OUTOFMEMORY;
	rq->mine = q;
	if (schema_parse_property_query(&rq->a, &src, &q->doc, &e) < 0) {
		request_end(rq, document_result(&e), &e, NULL);
		return S_OK;
	}
	q->mask = q->doc->properties;
	for (size_t i = 0; i < q->doc->n_queries; i++)
		q->mask |= q->doc->queries[i].property ? 1u << q->doc->queries[i].property : 0;
	m.id = rq->sys->id;
	if (!(q->mask & ~(1u << SCHEMA_PROPERTY_BASIC)) || rq->sys->exited || rq->sys->creating ||
	    request_call(rq, "Properties", &m.base, on_properties, &e) < 0)
		answer(rq);
	return S_OK;
}

API HRESULT HcsGetComputeSystemProperties(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *propertyQuery)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);
	struct request *rq;

	if (FAILED(hr))
		return hr;
	c.doc = propertyQuery;
	hr = call_claim(&c, operation, HcsOperationTypeGetProperties);
	if (SUCCEEDED(hr))
		hr = call_system(&c, computeSystem);
	if (SUCCEEDED(hr) && !lib.driven)
		(void)loop_dispatch(&lib.loop); /* what has happened, and we have not heard of */
	if (SUCCEEDED(hr))
		hr = system_check(&c, SYS_CALL_PROPERTIES);
	if (FAILED(hr))
		return call_end(&c, hr);
	rq = request_new(&c);
	if (!rq)
		return call_end(&c, E_OUTOFMEMORY);
	hr = begin(rq, propertyQuery);
	return call_end(&c, FAILED(hr) ? request_refuse(rq, &c, hr) : hr);
}
