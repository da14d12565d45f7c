/* Systems that are looked at again and again. */
#include "sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "list.h"

uint64_t number(const struct json *v, const char *key)
{
	const struct json *n = json_get(v, key);

	return n && n->type == JSON_INT && !n->negative ? n->u : 0;
}

/* ---- which ones ------------------------------------------------------------------------- */

static void forget(struct sampled *d)
{
	HcsCloseOperation(d->op);
	HcsCloseComputeSystem(d->s);
	free(d->ns);
	free(d->id);
}

void sampler_done(struct sampler *sm)
{
	for (size_t i = 0; i < sm->n; i++)
		forget(&sm->v[i]);
	free(sm->v);
	*sm = (struct sampler){ 0 };
}

static struct sampled *find(struct sampler *sm, const char *ns, const char *id)
{
	for (size_t i = 0; i < sm->n; i++)
		if (!sm->v[i].over && !strcmp(sm->v[i].id, id) && str_eq(sm->v[i].ns, ns))
			return &sm->v[i];
	return NULL;
}

static struct sampled *append(struct sampler *sm, const char *ns, const char *id)
{
	struct sampled *d;

	if (sm->n == sm->cap) {
		size_t cap = sm->cap ? sm->cap * 2 : 16;
		struct sampled *v = reallocarray(sm->v, cap, sizeof *v);

		if (!v)
			return NULL;
		sm->v = v;
		sm->cap = cap;
	}
	d = &sm->v[sm->n];
	*d = (struct sampled){ .ns = ns ? strdup(ns) : NULL, .id = strdup(id), .there = true };
	if (!d->id || (ns && !d->ns)) {
		forget(d);
		return NULL;
	}
	sm->n++;
	return d;
}

int sampler_add(struct sampler *sm, struct request *q, const char *id, struct err *e)
{
	struct sampled *d = append(sm, sm->ns, id);

	return d ? open_system(q, id, &d->s, e) : no_memory(e);
}

/* New ones come, those that ended go: who has the name of one now is another. One that
 * cannot be opened any more is gone. */
static int follow(struct sampler *sm, const struct json *list, struct err *e)
{
	size_t kept = 0;

	for (size_t i = 0; i < sm->n; i++)
		sm->v[i].there = false;
	for (uint32_t i = 0; i < list->n; i++) {
		const struct json *v = json_at(list, i);
		const char *state = json_string(json_get(v, "State"), ""),
			   *id = json_string(json_get(v, "Id"), ""),
			   *ns = sm->all ? json_string(json_get(v, "Namespace"), NULL) : sm->ns;
		struct sampled *d = find(sm, ns, id);

		if (strcmp(state, "Running") != 0 && strcmp(state, "Paused") != 0)
			continue;
		if (!d) {
			d = append(sm, ns, id);
			if (!d)
				return no_memory(e);
			d->hr = HcsOpenComputeSystemInNamespace(ns, id, GENERIC_ALL, &d->s);
		}
		d->there = SUCCEEDED(d->hr) || d->hr != HCS_E_SYSTEM_NOT_FOUND;
	}
	for (size_t i = 0; i < sm->n; i++) {
		if (sm->v[i].there)
			sm->v[kept++] = sm->v[i];
		else
			forget(&sm->v[i]);
	}
	sm->n = kept;
	return 0;
}

/* ---- a look -------------------------------------------------------------------------------- */

static bool all_answered(void *ctx)
{
	struct sampler *sm = ctx;

	for (size_t i = 0; i < sm->n; i++)
		if (sm->v[i].op && HcsGetOperationResult(sm->v[i].op, NULL) == HCS_E_OPERATION_PENDING)
			return false;
	return true;
}

static void take(struct sampled *d, struct request *q)
{
	const struct json *stats;
	OWN_RESULT text = NULL;
	struct json_doc doc;
	uint64_t cpu, uptime;

	d->properties = NULL;
	if (!d->op)
		return;
	d->hr = HcsGetOperationResult(d->op, &text);
	HcsCloseOperation(d->op);
	d->op = NULL;
	d->over = FAILED(d->hr);
	if (FAILED(d->hr) || !text)
		return;
	if (read_json(q, text, "properties", &doc, NULL) < 0) {
		d->hr = E_UNEXPECTED;
		return;
	}
	d->properties = doc.root;
	d->over = !strcmp(json_string(json_get(doc.root, "State"), ""), "Stopped");
	stats = json_get(doc.root, "Statistics");
	cpu = number(json_get(stats, "Processor"), "TotalRuntime100ns");
	uptime = number(stats, "Uptime100ns");
	if (d->seen && uptime > d->uptime && cpu >= d->cpu)
		d->percent = (double)(cpu - d->cpu) * 100 / (double)(uptime - d->uptime);
	else if (!d->seen)
		d->percent = uptime ? (double)cpu * 100 / (double)uptime : 0;
	d->cpu = cpu;
	d->uptime = uptime;
	d->seen = true;
}

int sampler_look(struct sampler *sm, struct request *q, struct err *e)
{
	static const char query[] = "{\"PropertyTypes\":[\"Statistics\",\"ProcessList\"]}";
	struct progress p = { .what = request_what(q), .phase = "waiting for the systems' answers" };
	struct json_doc doc;
	int r = 0;

	if (!sm->fixed) {
		r = enumerate(q, sm->all ? ALL_NAMESPACES : sm->ns, NULL, &doc, e);
		if (r == 0)
			r = follow(sm, doc.root, e);
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < sm->n; i++) {
		struct sampled *d = &sm->v[i];

		d->op = d->s ? HcsCreateOperation(NULL, NULL) : NULL;
		if (d->op)
			HcsGetComputeSystemProperties(d->s, d->op, query);
	}
	r = drive(all_answered, sm, FOREVER, &p, e);
	for (size_t i = 0; r == 0 && i < sm->n; i++)
		take(&sm->v[i], q);
	return r;
}
