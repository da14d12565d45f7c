/* HcsEnumerateComputeSystems(): all systems of a namespace, with their true state. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "log_calls.h"
#include "problems.h"
#include "properties.h"
#include "results.h"
#include "str.h"
#include "system.h"

static enum sys_state state_of(const struct engine_task *t)
{
	static const enum sys_state states[] = {
		[ENGINE_UNKNOWN] = SYS_UNKNOWN, [ENGINE_CREATED] = SYS_CREATED, [ENGINE_RUNNING] = SYS_RUNNING,
		[ENGINE_PAUSED] = SYS_PAUSED,	[ENGINE_STOPPED] = SYS_STOPPED, [ENGINE_GONE] = SYS_STOPPED,
	};

	return states[t->now.status];
}

/* Whether its namespace is to be told, too. */
static int add(struct jw *w, const struct engine_task *t, const struct schema_system_query *q, bool with_ns)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct schema_properties p = { 0 };
	const struct system *ours = system_find(t->namespace, t->id);
	struct system_meta m;

	if (t->now.status == ENGINE_GONE)
		return 0;
	if (meta_read(&a, t->record, &m) < 0)
		return -ENOMEM;
	if (!schema_query_matches(q, t->id, m.name, m.owner))
		return 0;
	if (q->types && !(q->types & 1u << SCHEMA_SYSTEM_CONTAINER))
		return 0;
	properties_basic(&p, t->id, &m, state_of(t));
	if (ours && ours->exited)
		p.exit_type = ours->exit_type;
	if (with_ns)
		p.ns = t->namespace;
	schema_write_properties(w, &p);
	return 0;
}

struct listing {
	struct schema_system_query *query;
	bool all;
};

static void on_listed(struct request *rq, int r, const struct err *e)
{
	const struct listing *l = rq->mine;
	struct sb b = SB_INIT;
	struct jw w;

	if (r < 0) {
		request_end(rq, result_of(e), e, NULL);
		return;
	}
	jw_init(&w, &b, NULL);
	jw_begin(&w, '[');
	for (size_t i = 0; i < rq->eop.n_tasks; i++)
		if (add(&w, rq->eop.tasks[i], l->query, l->all) < 0)
			b.failed = true;
	jw_end(&w);
	if (b.failed)
		sb_done(&b);
	request_end(rq, b.failed ? E_OUTOFMEMORY : S_OK, NULL, b.failed ? NULL : b.s);
}

static HRESULT begin(struct call *c, struct request *rq, const char *ns, const char *query)
{
	const struct schema_source src = { .text = query, .len = query ? strlen(query) : 0, .name = "query" };
	struct listing *l = arena_alloc(&rq->a, sizeof *l);
	struct err e;

	if (!l)
		return call_nomem(c);
	rq->mine = l;
	l->all = ns && !strcmp(ns, "*");
	if (schema_parse_system_query(&rq->a, &src, &l->query, &e) < 0) {
		request_end(rq, document_result(&e), &e, NULL);
		return S_OK;
	}
	if (!ns)
		ns = engine_settings_of(lib.engine)->namespace;
	request_in_engine(rq, on_listed);
	if (engine_list(lib.engine, &rq->eop, l->all ? NULL : ns, &c->e) < 0)
		return call_failed(c);
	rq->in_engine = true;
	return S_OK;
}

static HRESULT enumerate(const char *name, const char *ns, const char *query, HCS_OPERATION operation)
{
	struct call c;
	HRESULT hr = call_begin(&c, name);
	struct request *rq;

	if (FAILED(hr))
		return hr;
	c.doc = query;
	hr = call_claim(&c, operation, HcsOperationTypeEnumerate);
	if (SUCCEEDED(hr))
		hr = call_ready(&c);
	if (FAILED(hr))
		return call_end(&c, hr);
	log_begin(&c);
	rq = request_new(&c);
	if (!rq)
		return call_end(&c, E_OUTOFMEMORY);
	hr = begin(&c, rq, ns, query);
	return call_end(&c, FAILED(hr) ? request_refuse(rq, &c, hr) : hr);
}

API HRESULT HcsEnumerateComputeSystems(const char *query, HCS_OPERATION operation)
{
	return enumerate(__func__, NULL, query, operation);
}

API HRESULT HcsEnumerateComputeSystemsInNamespace(const char *idNamespace, const char *query, HCS_OPERATION operation)
{
	return enumerate(__func__, idNamespace, query, operation);
}
