/* list, inspect and status: what there is. */
#include "list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

int enumerate(struct request *q, const char *ns, const char *query, struct json_doc *ret, struct err *e)
{
	OWN_OPERATION op = operation_new(e);
	OWN_RESULT text = NULL;
	int r;

	if (!op)
		return -ENOMEM;
	r = finish(q, op, HcsEnumerateComputeSystemsInNamespace(ns, query, op), &text, e);
	return r < 0 ? r : read_json(q, text ? text : "[]", "systems", ret, e);
}

/* ---- list ------------------------------------------------------------------------------ */

static const struct option_def list_options[] = {
	OPTION("all-namespaces", 'A', OPT_BOOL, struct list_flags, all, NULL, "those of every namespace"),
	OPTION("quiet", 'q', OPT_BOOL, struct list_flags, quiet, NULL, "ids only"),
	OPTION("state", 0, OPT_STRING, struct list_flags, state, NULL, "only those in this state (Running, Stopped)"),
	OPTION("owner", 0, OPT_LIST, struct list_flags, owners, NULL, "only those of this owner"),
	OPTION("name", 0, OPT_LIST, struct list_flags, names, NULL, "only those of this name"),
	OPTION("format", 0, OPT_STRING, struct list_flags, format, "table",
	       "'table', 'json', or 'hcsdiag': lines as that tool prints them"),
	COMMON_FLAGS(struct list_flags),
	{ 0 },
};

static void query_list(struct jw *w, const char *key, const struct option_list *l)
{
	if (!l->n)
		return;
	jw_kbegin(w, key, '[');
	for (size_t i = 0; i < l->n; i++)
		jw_str(w, l->v[i]);
	jw_end(w);
}

static const char *system_query(struct request *q, const struct list_flags *f)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	if (!f->owners.n && !f->names.n)
		return NULL;
	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	query_list(&w, "Owners", &f->owners);
	query_list(&w, "Names", &f->names);
	jw_end(&w);
	return b.failed ? NULL : arena_strdup(q->arena, b.s);
}

static const char *member(const struct json *v, const char *key)
{
	return json_string(json_get(v, key), "");
}

static bool is_wanted(const struct list_flags *f, const struct json *v)
{
	return !f->state || !strcasecmp(member(v, "State"), f->state);
}

static int list_table(struct request *q, const struct list_flags *f, const struct json *list, struct err *e)
{
	static const char *const head[] = { "NAMESPACE", "ID", "STATE", "TYPE", "OWNER", "EXIT", NULL };
	struct table t = { .columns = ARRAY_SIZE(head) - 1 - !f->all };
	int r = cells(&t, q, head + !f->all);

	for (uint32_t i = 0; r == 0 && i < list->n; i++) {
		const struct json *v = json_at(list, i);

		if (!is_wanted(f, v))
			continue;
		r = f->all ? cell(&t, q, "%s", member(v, "Namespace")) : 0;
		if (r == 0)
			r = cell(&t, q, "%s", member(v, "Id"));
		if (r == 0)
			r = cell(&t, q, "%s", member(v, "State"));
		if (r == 0)
			r = cell(&t, q, "%s", member(v, "SystemType"));
		if (r == 0)
			r = cell(&t, q, "%s", member(v, "Owner"));
		if (r == 0)
			r = cell(&t, q, "%s", member(v, "ExitType"));
	}
	return r < 0 ? no_memory(e) : show_table(&t, e);
}

static void list_json(const struct list_flags *f, const struct json *list, struct sb *out)
{
	struct jw w;

	jw_init(&w, out, NULL);
	jw_begin(&w, '[');
	for (uint32_t i = 0; i < list->n; i++)
		if (is_wanted(f, json_at(list, i)))
			jw_value(&w, json_at(list, i));
	jw_end(&w);
	sb_putc(out, '\n');
}

static void line(struct sb *out, const char *text)
{
	OWN_STR copy = strdup(text);

	if (!copy) {
		out->failed = true;
		return;
	}
	sanitize(copy);
	sb_puts(out, copy);
}

/* An id, then below it "TYPE, STATE, GUID, OWNER". */
static void list_lines(const struct list_flags *f, const struct json *list, struct sb *out)
{
	for (uint32_t i = 0; i < list->n; i++) {
		const struct json *v = json_at(list, i);

		if (!is_wanted(f, v))
			continue;
		line(out, member(v, "Id"));
		sb_putc(out, '\n');
		if (f->quiet)
			continue;
		sb_puts(out, "    ");
		line(out, member(v, "SystemType"));
		sb_puts(out, ", \t");
		line(out, member(v, "State"));
		sb_puts(out, ", \t");
		line(out, *member(v, "RuntimeId") ? member(v, "RuntimeId") : member(v, "Id"));
		sb_puts(out, ", \t");
		line(out, member(v, "Owner"));
		sb_puts(out, "\n\n");
	}
}

static int list_run(struct request *q, void *options, struct err *e)
{
	const struct list_flags *f = options;
	bool hcsdiag = !strcmp(f->format, "hcsdiag"), json = q->common.json || !strcmp(f->format, "json");
	OWN_SB struct sb out = SB_INIT;
	struct json_doc doc;
	int r;

	if (!hcsdiag && strcmp(f->format, "json") != 0 && strcmp(f->format, "table") != 0)
		return bad_usage(q, e, "--format is 'table', 'json' or 'hcsdiag'");
	r = enumerate(q, f->all ? ALL_NAMESPACES : q->common.ns, system_query(q, f), &doc, e);
	if (r < 0)
		return r;
	if (json)
		list_json(f, doc.root, &out);
	else if (hcsdiag || f->quiet)
		list_lines(f, doc.root, &out);
	else
		return list_table(q, f, doc.root, e);
	return cli_put_sb(&out, e);
}

const struct verb verb_list = {
	.name = "list",
	.summary = "which systems there are, and their states",
	.options = list_options,
	.options_size = sizeof(struct list_flags),
	.run = list_run,
};

/* ---- inspect ------------------------------------------------------------------------------ */

/* "Statistics.Memory.MemoryUsageCommitBytes", one value a row. */
static int flatten(struct table *t, struct request *q, const struct json *v, const char *name)
{
	const char *path;
	char *text;
	int r = 0;

	if (v->type != JSON_OBJECT && v->type != JSON_ARRAY) {
		text = v->type == JSON_STRING ? arena_strdup(q->arena, v->s) : json_print(q->arena, v);
		if (!text)
			return -ENOMEM;
		r = cell(t, q, "%s", name);
		return r < 0 ? r : cell(t, q, "%s", text);
	}
	for (uint32_t i = 0; r == 0 && i < v->n; i++) {
		const struct json *item = json_at(v, i);

		path = item->key ? arena_printf(q->arena, "%s%s%s", name, *name ? "." : "", item->key) :
				   arena_printf(q->arena, "%s[%u]", name, i);
		r = path ? flatten(t, q, item, path) : -ENOMEM;
	}
	return r;
}

static int inspect_run(struct request *q, void *options, struct err *e)
{
	static const char *const types[] = { "Memory", "Statistics", "ProcessList",
					     "TerminateOnLastHandleClosed", NULL };
	struct table t = { .columns = 2, .min_width = 4 };
	OWN_RESULT text = NULL;
	OWN_SYSTEM s = NULL;
	struct json_doc doc;
	int r = open_system(q, q->args[0], &s, e);

	if (r == 0)
		r = get_properties(q, s, types, &text, e);
	if (r < 0)
		return r;
	if (q->common.json)
		return show_json(q, text, e);
	r = read_json(q, text, "properties", &doc, e);
	if (r < 0)
		return r;
	return flatten(&t, q, doc.root, "") < 0 ? no_memory(e) : show_table(&t, e);
}

const struct verb verb_inspect = {
	.name = "inspect",
	.summary = "all that is known of a system",
	.usage = "<id>",
	.options = plain_options,
	.options_size = sizeof(struct plain_flags),
	.min_args = 1,
	.max_args = 1,
	.run = inspect_run,
};

/* ---- status --------------------------------------------------------------------------------- */

static const char *const states[] = { "Created", "Running", "Paused", "Stopped", "Unknown" };

static void count_states(struct jw *w, const struct json *list)
{
	jw_kbegin(w, "Systems", '{');
	for (size_t s = 0; s < ARRAY_SIZE(states); s++) {
		uint32_t n = 0;

		for (uint32_t i = 0; i < list->n; i++)
			n += !strcmp(member(json_at(list, i), "State"), states[s]);
		jw_kuint(w, states[s], n);
	}
	jw_end(w);
}

/* One property of the service, under its name. */
static int add_service(struct request *q, struct jw *w, const char *type, struct err *e)
{
	const char *query = arena_printf(q->arena, "{\"PropertyTypes\":[\"%s\"]}", type);
	OWN_RESULT text = NULL;
	struct json_doc doc;
	const struct json *v;
	HRESULT hr = query ? HcsGetServiceProperties(query, &text) : E_OUTOFMEMORY;
	int r;

	if (FAILED(hr))
		return failed_last(q, hr, e);
	r = read_json(q, text, "service properties", &doc, e);
	if (r < 0)
		return r;
	v = json_at(json_get(doc.root, "Properties"), 0);
	if (json_get(v, type)) /* of berth's own: by its name */
		v = json_get(v, type);
	jw_key(w, type);
	jw_value(w, v ? v : doc.root);
	return 0;
}

static int describe_service(struct request *q, struct jw *w, struct err *e)
{
	struct json_doc systems;
	int r = enumerate(q, ALL_NAMESPACES, NULL, &systems, e);

	if (r < 0)
		return r;
	jw_begin(w, '{');
	jw_kstr(w, "Version", BERTH_VERSION);
	r = add_service(q, w, "Basic", e);
	if (r == 0)
		r = add_service(q, w, "Settings", e);
	count_states(w, systems.root);
	jw_end(w);
	return r;
}

/* One document; people get it flattened. */
static int status_run(struct request *q, void *options, struct err *e)
{
	struct table t = { .columns = 2, .min_width = 4 };
	OWN_SB struct sb b = SB_INIT;
	struct json_doc doc;
	struct jw w;
	int r;

	jw_init(&w, &b, NULL);
	r = describe_service(q, &w, e);
	sb_putc(&b, '\n');
	if (r < 0 || b.failed)
		return r < 0 ? r : no_memory(e);
	if (q->common.json)
		return cli_put_sb(&b, e);
	r = read_json(q, b.s, "status", &doc, e);
	if (r < 0)
		return r;
	return flatten(&t, q, doc.root, "") < 0 ? no_memory(e) : show_table(&t, e);
}

const struct verb verb_status = {
	.name = "status",
	.summary = "the library, its settings, and how many systems there are",
	.options = plain_options,
	.options_size = sizeof(struct plain_flags),
	.run = status_run,
};
