/* stacks: where every process of a system is, its shim, and berthd: for the report of a hang. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "daemons.h"
#include "json.h"
#include "list.h"
#include "procfs.h"
#include "sample.h"

struct stacks_flags {
	struct common common;
	bool all;
};

static const struct option_def stacks_options[] = {
	OPTION("all-namespaces", 'A', OPT_BOOL, struct stacks_flags, all, NULL, "systems of every namespace"),
	COMMON_FLAGS(struct stacks_flags),
	{ 0 },
};

/* What is shown of one system's processes. */
struct shown {
	struct request *q;
	struct jw w;
	struct sb out;
};

static int pids_of(struct request *q, const struct sampled *d, pid_t **ret, size_t *n, struct err *e)
{
	const struct json *list = json_get(d->properties, "ProcessList");

	*n = list ? list->n : 0;
	*ret = arena_calloc(q->arena, *n + 1, sizeof **ret);
	for (size_t i = 0; *ret && i < *n; i++)
		(*ret)[i] = (pid_t)number(json_at(list, i), "ProcessId");
	return *ret ? 0 : no_memory(e);
}

/* ---- stacks -------------------------------------------------------------------------------- */

static void stack_text(struct shown *sh, const struct proc_info *p)
{
	char *name = arena_strdup(sh->q->arena, p->name), *lines = arena_strdup(sh->q->arena, p->stack), *line;

	if (!name || !lines) {
		sh->out.failed = true;
		return;
	}
	sanitize(name);
	sb_printf(&sh->out, "  %s %d '%s', state %c%s%s, %lld s old\n    system call: %s\n", proc_role_name(p->role),
		  (int)p->pid, name, p->state, *p->waits_in ? ", in " : "", p->waits_in, (long long)p->age_ms / 1000,
		  *p->call ? p->call : "not to be seen");
	while (lines && *lines && (line = strsep(&lines, "\n")))
		sb_printf(&sh->out, "    %s\n", line);
}

static void stack_json(struct shown *sh, const struct proc_info *p)
{
	char *lines = arena_strdup(sh->q->arena, p->stack), *line;

	jw_begin(&sh->w, '{');
	jw_kstr(&sh->w, "Role", proc_role_name(p->role));
	jw_kint(&sh->w, "ProcessId", p->pid);
	jw_kstr(&sh->w, "ImageName", p->name);
	jw_key(&sh->w, "State");
	jw_strn(&sh->w, &p->state, 1);
	jw_kint(&sh->w, "Age100ns", p->age_ms * 10000);
	jw_kstr(&sh->w, "WaitsIn", *p->waits_in ? p->waits_in : NULL);
	jw_kstr(&sh->w, "SystemCall", *p->call ? p->call : NULL);
	jw_kbegin(&sh->w, "KernelStack", '[');
	while (lines && *lines && (line = strsep(&lines, "\n")))
		jw_str(&sh->w, line);
	jw_end(&sh->w);
	jw_end(&sh->w);
}

static void stacks_of(struct shown *sh, const struct sampled *d, const struct proc_list *l)
{
	const char *state = json_string(json_get(d->properties, "State"), "?");

	if (sh->q->common.json) {
		jw_begin(&sh->w, '{');
		jw_kstr(&sh->w, "SystemId", d->id);
		if (d->ns)
			jw_kstr(&sh->w, "Namespace", d->ns);
		jw_kstr(&sh->w, "State", state);
		jw_kbegin(&sh->w, "Processes", '[');
	} else {
		sb_printf(&sh->out, "%s%s%s: %s\n", d->ns ? d->ns : "", d->ns ? "/" : "", d->id, state);
	}
	for (size_t i = 0; i < l->n; i++) {
		if (sh->q->common.json)
			stack_json(sh, &l->v[i]);
		else
			stack_text(sh, &l->v[i]);
	}
	if (sh->q->common.json) {
		jw_end(&sh->w);
		jw_end(&sh->w);
	}
}

static int each_system(struct shown *sh, struct sampler *sm, struct err *e)
{
	int r = sampler_look(sm, sh->q, e);

	for (size_t i = 0; r == 0 && i < sm->n; i++) {
		struct proc_list l;
		pid_t *pids;
		size_t n;

		if (!sm->v[i].properties)
			continue;
		r = pids_of(sh->q, &sm->v[i], &pids, &n, e);
		if (r == 0)
			r = proc_look(sh->q, pids, n, &l, e);
		if (r == 0)
			stacks_of(sh, &sm->v[i], &l);
	}
	return r;
}

/* ---- berthd ---------------------------------------------------------------------------------- */

static void wait_text(struct shown *sh, const struct json *v)
{
	const char *ns = json_string(json_get(v, "Namespace"), ""), *id = json_string(json_get(v, "SystemId"), "");
	const char *words = json_string(json_get(v, "WaitsFor"), NULL);
	const struct json *age = json_get(v, "Age100ns"), *since = json_get(v, "WaitsFor100ns");
	size_t from = sh->out.len;

	sb_printf(&sh->out, "  %s%s%s%s%s", ns, *ns && *id ? "/" : "", id, *ns || *id ? ": " : "",
		  json_string(json_get(v, "Operation"), ""));
	if (age)
		sb_printf(&sh->out, ", for %s", time_words(sh->q, (uint64_t)json_i64(age, 0)));
	if (words)
		sb_printf(&sh->out, "; waits: %s", words);
	if (words && since)
		sb_printf(&sh->out, ", for %s", time_words(sh->q, (uint64_t)json_i64(since, 0)));
	if (!sh->out.failed)
		sanitize(sh->out.s + from);
	sb_putc(&sh->out, '\n');
}

static void daemon_text(struct shown *sh, const struct daemon_seen *d)
{
	const struct proc_list *l = &d->threads;
	const struct json *list = json_get(d->doc, "Operations");

	sb_printf(&sh->out, "berthd %d", (int)d->pid);
	if (d->doc)
		sb_printf(&sh->out, " at %s: %zu operations, and %lld calls without an end\n",
			  json_string(json_get(d->doc, "Address"), "?"), list ? (size_t)list->n : 0,
			  (long long)json_i64(json_get(d->doc, "EndlessCalls"), 0));
	else
		sb_puts(&sh->out, ": does not answer\n");
	for (size_t i = 0; list && i < list->n; i++)
		wait_text(sh, json_at(list, i));
	for (size_t i = 0; i < l->n; i++)
		stack_text(sh, &l->v[i]);
}

static void daemon_json(struct shown *sh, const struct daemon_seen *d)
{
	static const char *const members[] = { "Address", "Operations", "EndlessCalls" };

	jw_begin(&sh->w, '{');
	jw_kstr(&sh->w, "Daemon", "berthd");
	jw_kint(&sh->w, "ProcessId", d->pid);
	jw_kbool(&sh->w, "Answers", d->doc);
	for (size_t i = 0; d->doc && i < ARRAY_SIZE(members); i++) {
		jw_key(&sh->w, members[i]);
		jw_value(&sh->w, json_get(d->doc, members[i]));
	}
	jw_kbegin(&sh->w, "Processes", '[');
	for (size_t i = 0; i < d->threads.n; i++)
		stack_json(sh, &d->threads.v[i]);
	jw_end(&sh->w);
	jw_end(&sh->w);
}

static int each_daemon(struct shown *sh, struct err *e)
{
	struct daemons all = { 0 };
	const char *state;
	int r = find_settings(sh->q, &state, NULL, e);

	if (r == 0)
		r = daemons_look(sh->q, state, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		if (sh->q->common.json)
			daemon_json(sh, &all.v[i]);
		else
			daemon_text(sh, &all.v[i]);
	}
	return r;
}

/* ---- the verb ------------------------------------------------------------------------------- */

static int stacks_run(struct request *q, void *options, struct err *e)
{
	const struct stacks_flags *f = options;
	struct sampler sm = { .ns = q->common.ns, .all = f->all, .fixed = q->n_args > 0 };
	struct shown sh = { .q = q, .out = SB_INIT };
	int r = 0;

	if (f->all && q->n_args)
		return bad_usage(q, e, "--all-namespaces takes no id");
	jw_init(&sh.w, &sh.out, NULL);
	if (q->common.json)
		jw_begin(&sh.w, '[');
	for (size_t i = 0; r == 0 && i < q->n_args; i++)
		r = sampler_add(&sm, q, q->args[i], e);
	if (r == 0)
		r = each_system(&sh, &sm, e);
	if (r == 0 && !q->n_args) /* which is nobody's alone */
		r = each_daemon(&sh, e);
	if (q->common.json) {
		jw_end(&sh.w);
		sb_putc(&sh.out, '\n');
	}
	if (r == 0)
		r = cli_put_sb(&sh.out, e);
	sb_done(&sh.out);
	sampler_done(&sm);
	return r;
}

const struct verb verb_stacks = {
	.name = "stacks",
	.summary = "where the processes of systems, their shims and berthd are, for the report of a hang",
	.usage = "[<id>...]",
	.options = stacks_options,
	.options_size = sizeof(struct stacks_flags),
	.max_args = -1,
	.run = stacks_run,
};
