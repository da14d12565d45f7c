/*
 * operations: what shims are at, and what berthd waits for. Shims are found in the
 * state directory, where each that lives has a directory NAME.PID: so also that of a
 * system which is being made or removed, and is in no list. Of berthd: daemons.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "daemons.h"
#include "dir.h"
#include "fd.h"
#include "json.h"
#include "procfs.h"
#include "sys.h"

struct operations_flags {
	struct common common;
	bool all;
};

static const struct option_def operations_options[] = {
	OPTION("all-namespaces", 'A', OPT_BOOL, struct operations_flags, all, NULL, "of every namespace"),
	COMMON_FLAGS(struct operations_flags),
	{ 0 },
};

struct looking {
	struct request *q;
	const char *ns; /* NULL: every one */
	bool *found; /* of each argument: its shim */
	struct jw w;
	struct sb out;
	struct table t;
};

/* ---- one operation ---------------------------------------------------------------------- */

static int row(struct looking *lo, const char *ns, const char *id, const struct proc_info *p)
{
	struct request *q = lo->q;
	int r = cell(&lo->t, q, "%s%s%s", lo->ns ? "" : ns, lo->ns ? "" : "/", id);

	if (r == 0)
		r = cell(&lo->t, q, "%s", p->work);
	if (r == 0)
		r = cell(&lo->t, q, "%s", time_words(q, (uint64_t)(p->age_ms > 0 ? p->age_ms : 0) * 10000));
	if (r == 0)
		r = cell(&lo->t, q, "%d", (int)p->pid);
	return r < 0 ? r : cell(&lo->t, q, "%s", p->waits_in);
}

static void object(struct looking *lo, const char *ns, const char *id, const struct proc_info *p)
{
	jw_begin(&lo->w, '{');
	jw_kstr(&lo->w, "SystemId", id);
	jw_kstr(&lo->w, "Namespace", ns);
	jw_kstr(&lo->w, "Operation", p->work);
	jw_kint(&lo->w, "Age100ns", p->age_ms * 10000);
	jw_kint(&lo->w, "ProcessId", p->pid);
	jw_kstr(&lo->w, "WaitsIn", *p->waits_in ? p->waits_in : NULL);
	jw_end(&lo->w);
}

/* ---- shims ------------------------------------------------------------------------------- */

static const char *after(const char **args, const char *flag)
{
	for (; *args; args++)
		if (!strcmp(*args, flag))
			return args[1];
	return NULL;
}

/* What berthd is at for nobody's system has neither. */
static bool is_wanted(struct looking *lo, const char *ns, const char *id)
{
	const struct request *q = lo->q;
	bool wanted = !q->n_args;

	if (lo->ns && *ns && strcmp(ns, lo->ns) != 0)
		return false;
	for (size_t i = 0; i < q->n_args; i++)
		if (!strcmp(q->args[i], id))
			wanted = lo->found[i] = true;
	return wanted;
}

static int look_at(struct looking *lo, const char *name, struct err *e)
{
	const char *dot = strrchr(name, '.'), *ns, *id, **args;
	struct proc_list l;
	int32_t pid;
	int r;

	if (!dot || parse_i32(dot + 1, &pid) < 0)
		return 0;
	args = proc_shim_args(lo->q, pid);
	ns = args ? after(args, "-namespace") : NULL;
	id = args ? after(args, "-id") : NULL;
	if (!ns || !id || !is_wanted(lo, ns, id))
		return 0;
	r = proc_look_helpers(lo->q, pid, &l, e);
	for (size_t i = 0; r == 0 && i < l.n; i++) {
		if (lo->q->common.json)
			object(lo, ns, id, &l.v[i]);
		else if (row(lo, ns, id, &l.v[i]) < 0)
			r = no_memory(e);
	}
	return r;
}

static int each_shim(struct looking *lo, const char *state, struct err *e)
{
	const char *path = arena_printf(lo->q->arena, "%s/.shims", state);
	OWN_FD dir = path ? sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) : -ENOMEM;
	struct dir_reader rd = { .fd = dir };
	const struct dir_entry *d;
	int r = 0;

	if (dir < 0 && dir != -ENOENT)
		return err_sys(e, dir, "read '%s/.shims'", state);
	while (r == 0 && dir >= 0 && (d = dir_next(&rd)))
		r = look_at(lo, d->name, e);
	return r;
}

/* ---- daemons ----------------------------------------------------------------------------- */

static const char *age_words(struct request *q, const struct json *of, const char *member)
{
	return json_get(of, member) ? time_words(q, (uint64_t)json_i64(json_get(of, member), 0)) : "";
}

static int daemon_row(struct looking *lo, pid_t pid, const struct json *v)
{
	struct request *q = lo->q;
	const char *ns = json_string(json_get(v, "Namespace"), ""), *id = json_string(json_get(v, "SystemId"), "");
	const char *since = age_words(q, v, "WaitsFor100ns");
	int r = cell(&lo->t, q, "%s%s%s", lo->ns ? "" : ns, lo->ns || !*ns ? "" : "/", *id ? id : "-");

	if (r == 0)
		r = cell(&lo->t, q, "berthd: %s", json_string(json_get(v, "Operation"), ""));
	if (r == 0)
		r = cell(&lo->t, q, "%s", age_words(q, v, "Age100ns"));
	if (r == 0)
		r = cell(&lo->t, q, "%d", (int)pid);
	if (r == 0)
		r = cell(&lo->t, q, "%s%s%s", json_string(json_get(v, "WaitsFor"), ""), *since ? ", " : "", since);
	return r;
}

static void daemon_object(struct looking *lo, pid_t pid, const struct json *v)
{
	static const char *const texts[] = { "SystemId", "Namespace", "Operation", "WaitsFor" };
	static const char *const ages[] = { "Age100ns", "WaitsFor100ns" };

	jw_begin(&lo->w, '{');
	jw_kstr(&lo->w, "Daemon", "berthd");
	jw_kint(&lo->w, "ProcessId", pid);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		jw_kstr(&lo->w, texts[i], json_string(json_get(v, texts[i]), NULL));
	for (size_t i = 0; i < ARRAY_SIZE(ages); i++)
		if (json_get(v, ages[i]))
			jw_kint(&lo->w, ages[i], json_i64(json_get(v, ages[i]), 0));
	jw_end(&lo->w);
}

static int daemon_line(struct looking *lo, pid_t pid, const struct json *v)
{
	if (!is_wanted(lo, json_string(json_get(v, "Namespace"), ""), json_string(json_get(v, "SystemId"), "")))
		return 0;
	if (!lo->q->common.json)
		return daemon_row(lo, pid, v);
	daemon_object(lo, pid, v);
	return 0;
}

static int each_daemon(struct looking *lo, const char *state, struct err *e)
{
	static const char silent[] = "{\"Operation\":\"does not answer\"}";
	struct daemons all;
	struct json_doc doc;
	int r = daemons_look(lo->q, state, &all, e);

	for (size_t i = 0; r == 0 && i < all.n; i++) {
		const struct json *list = json_get(all.v[i].doc, "Operations");
		int bad = 0;

		if (!all.v[i].doc) {
			r = json_parse(lo->q->arena, silent, sizeof silent - 1, "berthd", &doc, e);
			bad = r < 0 ? 0 : daemon_line(lo, all.v[i].pid, doc.root);
		}
		for (size_t k = 0; list && bad == 0 && k < list->n; k++)
			bad = daemon_line(lo, all.v[i].pid, json_at(list, k));
		if (bad < 0)
			r = no_memory(e);
	}
	return r;
}

/* ---- the verb ------------------------------------------------------------------------------ */

/* One that has no shim is no system, or its shim has just ended. */
static int check_others(struct looking *lo, struct err *e)
{
	struct request *q = lo->q;
	int r = 0;

	for (size_t i = 0; r == 0 && i < q->n_args; i++) {
		OWN_SYSTEM s = NULL;

		if (!lo->found[i])
			r = open_system(q, q->args[i], &s, e);
	}
	return r;
}

static int operations_run(struct request *q, void *options, struct err *e)
{
	static const char *const head[] = { "ID", "OPERATION", "AGE", "PROCESS", "WAITS IN", NULL };
	const struct operations_flags *f = options;
	struct looking lo = { .q = q, .out = SB_INIT, .found = arena_calloc(q->arena, q->n_args + 1, 1) };
	const char *state;
	int r;

	if (f->all && q->n_args)
		return bad_usage(q, e, "--all-namespaces takes no id");
	lo.t.columns = ARRAY_SIZE(head) - 1;
	jw_init(&lo.w, &lo.out, NULL);
	if (q->common.json)
		jw_begin(&lo.w, '[');
	r = find_settings(q, &state, &lo.ns, e);
	if (f->all)
		lo.ns = NULL;
	if (r == 0 && (!lo.found || (!q->common.json && cells(&lo.t, q, head) < 0)))
		r = no_memory(e);
	if (r == 0)
		r = each_shim(&lo, state, e);
	if (r == 0)
		r = each_daemon(&lo, state, e);
	if (r == 0)
		r = check_others(&lo, e);
	if (q->common.json) {
		jw_end(&lo.w);
		sb_putc(&lo.out, '\n');
	} else {
		table_print(&lo.t, &lo.out);
	}
	if (r == 0)
		r = cli_put_sb(&lo.out, e);
	sb_done(&lo.out);
	return r;
}

const struct verb verb_operations = {
	.name = "operations",
	.summary = "what shims are at and berthd waits for, and for how long",
	.usage = "[<id>...]",
	.description = "Operations that take time, whoever asked for them, from a system's creation to its removal.",
	.options = operations_options,
	.options_size = sizeof(struct operations_flags),
	.max_args = -1,
	.run = operations_run,
};
