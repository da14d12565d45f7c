/* What is asked of the service: of this library and this host, that is. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "json.h"
#include "log_calls.h"
#include "problems.h"
#include "results.h"
#include "schema_reply.h"
#include "schema_requests.h"
#include "str.h"

/* ---- properties ---------------------------------------------------------------------- */

static void write_operations(struct jw *w)
{
	jw_kbegin(w, "Operations", '[');
	for (const struct operation *op = lib.pending; op; op = op->pending_next)
		op_write(w, op);
	jw_end(w);
}

/* Those in effect, whatever they come from. */
static void write_settings(struct jw *w)
{
	const struct engine_settings *s = engine_settings_of(lib.engine);

	jw_kbegin(w, "Settings", '{');
	jw_kstr(w, "State", s->state);
	jw_kstr(w, "Namespace", s->namespace);
	jw_kstr(w, "CgroupParent", s->cgroup_parent);
	jw_kstr(w, "Shim", s->shim);
	jw_kstr(w, "Runtime", s->runtime);
	jw_kstr(w, "RuntimeRoot", s->runtime_root);
	jw_kbool(w, "ShimDebug", s->shim_debug);
	jw_kbool(w, "ShimMountNamespace", s->shim_mount_namespace);
	jw_kstr(w, "ShimCgroup", s->shim_cgroup);
#define X(member, variable, seconds) jw_kuint(w, variable, lib.timeouts.member / 1000);
	TIMEOUTS(X)
#undef X
	jw_kuint(w, "HCSSHIM_MAX_PARALLEL_START", lib.timeouts.parallel_starts);
	jw_end(w);
}

/* berth's own: {"PropertyTypes": ["Operations"]}, one of them alone. */
static const struct {
	const char *name;
	void (*write)(struct jw *w);
} own[] = {
	{ "Operations", write_operations },
	{ "Settings", write_settings },
};

/* -1: something else is asked for. */
static int asks_for_own(const char *query)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct json_doc doc;
	const struct json *types;
	struct err e;

	if (str_empty(query) || json_parse(&a, query, strlen(query), "query", &doc, &e) < 0)
		return -1;
	types = json_get(doc.root, "PropertyTypes");
	for (size_t i = 0; types && types->type == JSON_ARRAY && types->n == 1 && i < ARRAY_SIZE(own); i++)
		if (str_eq(json_string(json_at(types, 0), NULL), own[i].name))
			return (int)i;
	return -1;
}

static char *describe_own(int which)
{
	struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kbegin(&w, "Properties", '[');
	jw_begin(&w, '{');
	own[which].write(&w);
	jw_end(&w);
	jw_end(&w);
	jw_end(&w);
	if (b.failed)
		sb_done(&b);
	return b.failed ? NULL : b.s;
}

static int fill(struct arena *a, unsigned property, struct schema_service_property_value *v)
{
	switch (property) {
	case SCHEMA_SERVICE_BASIC:
		v->n_versions = schema_n_supported_versions;
		v->versions = arena_calloc(a, v->n_versions + 1, sizeof *v->versions);
		if (!v->versions)
			return -ENOMEM;
		memcpy(v->versions, schema_supported_versions, v->n_versions * sizeof *v->versions);
		break;
	case SCHEMA_SERVICE_MEMORY:
		v->has_total = v->has_available = true;
		v->total = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
		v->available = (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
		break;
	case SCHEMA_SERVICE_PROCESSORS:
		v->has_processor_count = true;
		v->processor_count = host_processors();
		v->processors = arena_calloc(a, v->processor_count, sizeof *v->processors);
		if (!v->processors)
			return -ENOMEM;
		v->n_processors = host_topology(v->processors, v->processor_count);
		break;
	}
	return 0;
}

static int answer(struct arena *a, const struct schema_service_query *q, struct schema_service_properties *doc)
{
	doc->properties = arena_calloc(a, q->n_order + 1, sizeof *doc->properties);
	doc->responses = arena_calloc(a, q->n_queries + 1, sizeof *doc->responses);
	if (!doc->properties || !doc->responses)
		return -ENOMEM;
	for (size_t i = 0; i < q->n_order; i++)
		if (fill(a, q->order[i], &doc->properties[doc->n_properties++]) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < q->n_queries; i++) {
		struct schema_service_response *r = &doc->responses[doc->n_responses++];

		r->name = q->queries[i].name;
		r->response = arena_alloc(a, sizeof *r->response);
		r->error = arena_alloc(a, sizeof *r->error);
		if (!r->response || !r->error)
			return -ENOMEM;
		if (q->queries[i].property) {
			r->error = NULL;
			if (fill(a, q->queries[i].property, r->response) < 0)
				return -ENOMEM;
			continue;
		}
		r->response = NULL;
		r->error->error = HCS_E_ERROR_NOT_SUPPORTED;
		r->error->error_message = arena_printf(a, "%s: is not supported", q->queries[i].pointer);
	}
	return 0;
}

static HRESULT properties(struct call *c, const char *query, char **result)
{
	const struct schema_source src = { .text = query, .len = query ? strlen(query) : 0, .name = "query" };
	OWN_ARENA struct arena a = ARENA_INIT;
	struct schema_service_properties doc = { 0 };
	struct schema_service_query *q;
	struct sb b = SB_INIT;
	struct jw w;
	int which = asks_for_own(query);

	if (which >= 0) {
		*result = describe_own(which);
		return *result ? S_OK : call_nomem(c);
	}
	if (schema_parse_service_query(&a, &src, &q, &c->e) < 0)
		return document_result(&c->e);
	if (!q->n_order && !q->n_queries)
		q->order[q->n_order++] = SCHEMA_SERVICE_BASIC;
	if (answer(&a, q, &doc) < 0)
		return call_nomem(c);
	jw_init(&w, &b, NULL);
	schema_write_service_properties(&w, &doc);
	if (b.failed) {
		sb_done(&b);
		return call_nomem(c);
	}
	*result = b.s;
	return S_OK;
}

API HRESULT HcsGetServiceProperties(const char *propertyQuery, char **result)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);

	if (result)
		*result = NULL;
	if (FAILED(hr))
		return hr;
	c.doc = propertyQuery;
	log_begin(&c);
	if (!result)
		return call_end(&c, call_refuse(&c, E_INVALIDARG, "result: is NULL"));
	hr = call_ready(&c); /* it says whether systems could be made here at all */
	if (SUCCEEDED(hr))
		hr = properties(&c, propertyQuery, result);
	return call_end(&c, hr);
}

/* ---- settings -------------------------------------------------------------------------- */

API HRESULT HcsModifyServiceSettings(const char *settings, char **result)
{
	const struct schema_source src = {
		.text = settings,
		.len = settings ? strlen(settings) : 0,
		.name = "settings",
	};
	OWN_ARENA struct arena a = ARENA_INIT;
	struct schema_service_modify *doc;
	struct call c;
	HRESULT hr = call_begin(&c, __func__);

	if (result)
		*result = NULL;
	if (FAILED(hr))
		return hr;
	c.doc = settings;
	log_begin(&c);
	if (!settings)
		return call_end(&c, call_refuse(&c, E_INVALIDARG, "settings: is NULL"));
	hr = schema_parse_service_modify(&a, &src, &doc, &c.e) < 0 ? document_result(&c.e) : S_OK;
	hr = call_end(&c, hr);
	if (FAILED(hr) && result)
		(void)HcsGetLastResult(result);
	return hr;
}
