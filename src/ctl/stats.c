/* stats and top: what systems, and the processes of one, use. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "ctl.h"
#include "json.h"
#include "sample.h"
#include "refresh.h"

struct stats_flags {
	struct common common;
	struct watch_flags w;
	bool all;
};

static const struct option_def stats_options[] = {
	OPTION("watch", 'w', OPT_BOOL, struct stats_flags, w.watch, NULL, "again and again, until told to end"),
	WATCH_FLAGS(struct stats_flags, w),
	OPTION("all-namespaces", 'A', OPT_BOOL, struct stats_flags, all, NULL, "systems of every namespace"),
	COMMON_FLAGS(struct stats_flags),
	{ 0 },
};

struct view {
	struct sampler sampler;
	bool by_use; /* those that use most come first */
	bool title;
};

static void view_done(struct view *v)
{
	sampler_done(&v->sampler);
}
#define OWN_VIEW __attribute__((cleanup(view_done))) struct view

/* ---- systems ------------------------------------------------------------------------------ */

static int by_percent(const void *a, const void *b)
{
	const struct sampled *const *x = a, *const *y = b;

	return (*x)->percent < (*y)->percent ? 1 : (*x)->percent > (*y)->percent ? -1 : strcmp((*x)->id, (*y)->id);
}

static int by_id(const void *a, const void *b)
{
	const struct sampled *const *x = a, *const *y = b;

	return strcmp((*x)->id, (*y)->id);
}

/* Ends with NULL. */
static const struct sampled **sorted(struct request *q, const struct view *v)
{
	const struct sampled **list = arena_calloc(q->arena, v->sampler.n + 1, sizeof(struct sampled *));

	for (size_t i = 0; list && i < v->sampler.n; i++)
		list[i] = &v->sampler.v[i];
	if (list && v->sampler.n)
		qsort(list, v->sampler.n, sizeof(struct sampled *), v->by_use ? by_percent : by_id);
	return list;
}

static int row(struct table *t, struct request *q, const struct sampled *d)
{
	const struct json *stats = json_get(d->properties, "Statistics"), *memory = json_get(stats, "Memory"),
			  *storage = json_get(stats, "Storage"), *list = json_get(d->properties, "ProcessList");
	const char *state = json_string(json_get(d->properties, "State"), HcsResultToString(d->hr));
	int r = cell(t, q, "%s", d->id);

	if (r == 0)
		r = cell(t, q, "%s", state);
	if (r == 0)
		r = stats ? cell(t, q, "%.1f", d->percent) : cell(t, q, "-");
	if (r == 0)
		r = cell(t, q, "%s", time_words(q, d->cpu));
	if (r == 0)
		r = cell(t, q, "%s", memory ? size_words(q, number(memory, "MemoryUsageCommitBytes")) : "-");
	if (r == 0)
		r = cell(t, q, "%s", memory ? size_words(q, number(memory, "MemoryUsageCommitPeakBytes")) : "-");
	if (r == 0)
		r = cell(t, q, "%s", storage ? size_words(q, number(storage, "ReadSizeBytes")) : "-");
	if (r == 0)
		r = cell(t, q, "%s", storage ? size_words(q, number(storage, "WriteSizeBytes")) : "-");
	if (r == 0)
		r = cell(t, q, "%u", list ? list->n : 0);
	if (r == 0)
		r = cell(t, q, "%s", time_words(q, d->uptime));
	return r;
}

static void object(struct jw *w, const struct sampled *d)
{
	const struct json *list = json_get(d->properties, "ProcessList");

	jw_begin(w, '{');
	jw_kstr(w, "Id", d->id);
	if (d->ns)
		jw_kstr(w, "Namespace", d->ns);
	if (d->properties) {
		jw_kstr(w, "State", json_string(json_get(d->properties, "State"), NULL));
		jw_key(w, "CpuPercent");
		jw_double(w, d->percent);
		jw_kuint(w, "ProcessCount", list ? list->n : 0);
	} else {
		jw_kint(w, "Error", d->hr);
		jw_kstr(w, "ErrorName", HcsResultToName(d->hr));
	}
	if (json_get(d->properties, "Statistics")) {
		jw_key(w, "Statistics");
		jw_value(w, json_get(d->properties, "Statistics"));
	}
	jw_end(w);
}

static void title(const struct view *v, struct sb *out)
{
	struct timespec now;
	char stamp[CLOCK_TEXT];

	clock_gettime(CLOCK_REALTIME, &now);
	clock_utc(&now, 0, stamp);
	sb_printf(out, PROGRAM " top - %s, %zu systems\n\n", stamp, v->sampler.n);
}

static int systems_round(struct request *q, void *ctx, struct sb *out, struct err *e)
{
	static const char *const head[] = { "ID", "STATE", "CPU %", "CPU TIME", "MEMORY", "PEAK", "READ",
					    "WRITTEN", "PROCESSES", "UP", NULL };
	struct table t = { .columns = ARRAY_SIZE(head) - 1 };
	const struct sampled **list;
	struct view *v = ctx;
	struct jw w;
	int r = sampler_look(&v->sampler, q, e);

	if (r < 0)
		return r;
	list = sorted(q, v);
	if (!list)
		return no_memory(e);
	if (q->common.json) {
		jw_init(&w, out, NULL);
		jw_begin(&w, '[');
		for (; *list; list++)
			object(&w, *list);
		jw_end(&w);
		return 0;
	}
	if (v->title)
		title(v, out);
	r = cells(&t, q, head);
	for (; r == 0 && *list; list++)
		r = row(&t, q, *list);
	table_print(&t, out);
	return r < 0 ? no_memory(e) : 0;
}

/* Once: what `round` shows is the document itself, and not the only item of one. */
static int look_once(struct request *q, watch_round *round, void *ctx, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;
	int r = round(q, ctx, &out, e);

	if (r < 0)
		return r;
	if (q->common.json)
		sb_putc(&out, '\n');
	return cli_put_sb(&out, e);
}

static int stats_run(struct request *q, void *options, struct err *e)
{
	const struct stats_flags *f = options;
	OWN_VIEW v = { .sampler = { .ns = q->common.ns, .all = f->all, .fixed = q->n_args > 0 } };
	int r = 0;

	if (f->all && q->n_args)
		return bad_usage(q, e, "--all-namespaces takes no ids");
	for (size_t i = 0; r == 0 && i < q->n_args; i++)
		r = sampler_add(&v.sampler, q, q->args[i], e);
	if (r < 0)
		return r;
	return f->w.watch ? watch(q, &f->w, systems_round, &v, e) : look_once(q, systems_round, &v, e);
}

const struct verb verb_stats = {
	.name = "stats",
	.summary = "what systems use: processor, memory, storage",
	.usage = "[--watch] [<id>...]",
	.description = "Without ids, of all that run. CPU % is of one processor: since the last look, at first since\n"
		       "   the start.",
	.options = stats_options,
	.options_size = sizeof(struct stats_flags),
	.max_args = -1,
	.run = stats_run,
};

/* ---- processes of one ------------------------------------------------------------------------ */

struct seen { /* at the look before */
	uint64_t pid, cpu;
};

struct process_view {
	struct sampler sampler;
	struct seen *seen;
	size_t n_seen;
	int64_t at_ms;
};

struct process_row {
	const struct json *p;
	double percent;
};

static uint64_t cpu_of(const struct json *p)
{
	return number(p, "UserTime100ns") + number(p, "KernelTime100ns");
}

/* A pid that is used again is of another process, which has used less. */
static double use_of(const struct process_view *v, const struct json *p, int64_t ms)
{
	for (size_t i = 0; i < v->n_seen; i++) {
		const struct seen *s = &v->seen[i];

		if (s->pid == number(p, "ProcessId") && cpu_of(p) >= s->cpu && ms > 0)
			return (double)(cpu_of(p) - s->cpu) / 100 / (double)ms;
	}
	return 0;
}

static int remember(struct process_view *v, const struct json *list)
{
	struct seen *seen = calloc(list->n + 1, sizeof *seen);

	if (!seen)
		return -ENOMEM;
	for (uint32_t i = 0; i < list->n; i++)
		seen[i] = (struct seen){ number(json_at(list, i), "ProcessId"), cpu_of(json_at(list, i)) };
	free(v->seen);
	v->seen = seen;
	v->n_seen = list->n;
	return 0;
}

static int by_process_use(const void *a, const void *b)
{
	const struct process_row *x = a, *y = b;
	uint64_t cpu_x = cpu_of(x->p), cpu_y = cpu_of(y->p);

	if (x->percent != y->percent)
		return x->percent < y->percent ? 1 : -1;
	return cpu_x < cpu_y ? 1 : cpu_x > cpu_y ? -1 : 0;
}

static int process_table(struct request *q, const struct process_row *rows, size_t n, struct sb *out)
{
	static const char *const head[] = { "PID", "CPU %", "CPU TIME", "MEMORY", "PRIVATE", "PROGRAM", NULL };
	struct table t = { .columns = ARRAY_SIZE(head) - 1 };
	int r = cells(&t, q, head);

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct json *p = rows[i].p;

		r = cell(&t, q, "%llu", (unsigned long long)number(p, "ProcessId"));
		if (r == 0)
			r = cell(&t, q, "%.1f", rows[i].percent);
		if (r == 0)
			r = cell(&t, q, "%s", time_words(q, cpu_of(p)));
		if (r == 0)
			r = cell(&t, q, "%s", size_words(q, number(p, "MemoryCommitBytes")));
		if (r == 0)
			r = cell(&t, q, "%s", size_words(q, number(p, "MemoryWorkingSetPrivateBytes")));
		if (r == 0)
			r = cell(&t, q, "%s", json_string(json_get(p, "ImageName"), ""));
	}
	table_print(&t, out);
	return r;
}

static void process_json(const struct process_row *rows, size_t n, struct sb *out)
{
	struct jw w;

	jw_init(&w, out, NULL);
	jw_begin(&w, '[');
	for (size_t i = 0; i < n; i++) {
		jw_begin(&w, '{');
		for (uint32_t k = 0; k < rows[i].p->n; k++) {
			jw_key(&w, json_at(rows[i].p, k)->key);
			jw_value(&w, json_at(rows[i].p, k));
		}
		jw_key(&w, "CpuPercent");
		jw_double(&w, rows[i].percent);
		jw_end(&w);
	}
	jw_end(&w);
}

static int processes_round(struct request *q, void *ctx, struct sb *out, struct err *e)
{
	struct process_view *v = ctx;
	struct sampled *d = v->sampler.v;
	const struct json *list;
	struct process_row *rows;
	int64_t ms, now;
	int r = sampler_look(&v->sampler, q, e);

	if (r < 0)
		return r;
	if (!d->properties)
		return failed(q, d->hr, NULL, e);
	now = clock_ms();
	ms = now - v->at_ms;
	list = json_get(d->properties, "ProcessList");
	rows = arena_calloc(q->arena, list ? list->n + 1 : 1, sizeof *rows);
	if (!rows)
		return no_memory(e);
	for (uint32_t i = 0; list && i < list->n; i++)
		rows[i] = (struct process_row){ json_at(list, i), use_of(v, json_at(list, i), ms) };
	if (list)
		qsort(rows, list->n, sizeof *rows, by_process_use);
	v->at_ms = now;
	if (q->common.json)
		process_json(rows, list ? list->n : 0, out);
	else
		r = process_table(q, rows, list ? list->n : 0, out);
	if (r == 0 && list)
		r = remember(v, list);
	return r < 0 ? no_memory(e) : 0;
}

/* ---- top ----------------------------------------------------------------------------------------- */

static const struct option_def top_options[] = {
	WATCH_FLAGS(struct stats_flags, w),
	OPTION("all-namespaces", 'A', OPT_BOOL, struct stats_flags, all, NULL, "systems of every namespace"),
	COMMON_FLAGS(struct stats_flags),
	{ 0 },
};

static int show(struct request *q, const struct stats_flags *f, watch_round *round, void *ctx, struct err *e)
{
	if (f->w.count || (isatty(STDOUT_FILENO) && !q->common.json))
		return watch(q, &f->w, round, ctx, e);
	return look_once(q, round, ctx, e);
}

static int top_systems(struct request *q, const struct stats_flags *f, struct err *e)
{
	OWN_VIEW v = { .sampler = { .ns = q->common.ns, .all = f->all }, .by_use = true, .title = true };

	return show(q, f, systems_round, &v, e);
}

static int top_run(struct request *q, void *options, struct err *e)
{
	struct process_view v = { .sampler = { .ns = q->common.ns, .fixed = true } };
	const struct stats_flags *f = options;
	int r;

	if (!q->n_args)
		return top_systems(q, f, e);
	if (f->all)
		return bad_usage(q, e, "--all-namespaces takes no id");
	r = sampler_add(&v.sampler, q, q->args[0], e);
	if (r == 0)
		r = show(q, f, processes_round, &v, e);
	sampler_done(&v.sampler);
	free(v.seen);
	return r;
}

const struct verb verb_top = {
	.name = "top",
	.summary = "systems, or the processes of one, those that use most first",
	.usage = "[<id>]",
	.description = "On a terminal again and again, until told to end; else once, or --count times.",
	.options = top_options,
	.options_size = sizeof(struct stats_flags),
	.max_args = 1,
	.run = top_run,
};
