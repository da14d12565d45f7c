/* spec, features, validate: documents alone; no container is involved. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "cgroup.h"
#include "err.h"
#include "fd.h"
#include "features_host.h"
#include "file.h"
#include "json.h"
#include "mem.h"
#include "spec.h"
#include "spec_features.h"
#include "spec_template.h"
#include "str.h"
#include "sys.h"
#include "table.h"
#include "verb.h"

static int no_memory(struct err *e)
{
	return err_sys(e, -ENOMEM, "print");
}

/* ---- spec ----------------------------------------------------------------- */

struct spec_flags {
	const char *bundle;
	bool rootless;
};

static const struct option_def spec_options[] = {
	OPTION("bundle", 'b', OPT_STRING, struct spec_flags, bundle, NULL,
	       "path to the root of the bundle directory"),
	OPTION("rootless", 0, OPT_BOOL, struct spec_flags, rootless, NULL,
	       "generate a configuration for a rootless container"),
	{ 0 },
};

static bool only_cgroup_v2(struct request *q)
{
	const struct cgroup_host *host;

	return core_cgroup(&q->core, &host, NULL) == 0 && host->mode == CGROUP_V2;
}

static int spec_run(struct request *q, void *options, struct err *e)
{
	const struct spec_flags *f = options;
	struct template_options o = {
		.rootless = f->rootless,
		.uid = geteuid(),
		.gid = getegid(),
		.cgroup_namespace = only_cgroup_v2(q),
	};
	const char *dir = str_empty(f->bundle) ? "." : f->bundle;
	OWN_SB struct sb out = SB_INIT;
	OWN_FD at = -1, fd = -1;
	int r;

	at = sys_openat(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (at < 0)
		return err_sys(e, at, "chdir %s", dir);
	spec_template_print(&out, &o);
	if (out.failed)
		return no_memory(e);
	fd = sys_openat(at, "config.json", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
	if (fd == -EEXIST)
		return err_set(e, ERR_EXISTS, 0, "File config.json exists. Remove it first");
	if (fd < 0)
		return err_sys(e, fd, "create config.json");
	r = fd_write_all(fd, out.s, out.len);
	return r < 0 ? err_sys(e, r, "write config.json") : 0;
}

const struct verb verb_spec = {
	.name = "spec",
	.summary = "create a new specification file",
	.description =
		"Creates the specification file \"config.json\" of a bundle. It is a starting point:\n"
		"edit \"args\", which names the program, and what else should differ.",
	.options = spec_options,
	.options_size = sizeof(struct spec_flags),
	.min_args = 0,
	.max_args = 0,
	.run = spec_run,
};

/* ---- features ------------------------------------------------------------- */

static int features_run(struct request *q, void *options, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;
	struct features_host h;

	features_host_read(&h);
	spec_features_print(&out, &h);
	sb_putc(&out, '\n');
	return cli_put_sb(&out, e);
}

const struct verb verb_features = {
	.name = "features",
	.summary = "show the enabled features",
	.description = "Shows what this program understands, as the JSON document of the runtime\n"
		       "specification.",
	.min_args = 0,
	.max_args = 0,
	.run = features_run,
};

/* ---- validate ------------------------------------------------------------- */

struct validate_flags {
	bool json;
};

static const struct option_def validate_options[] = {
	OPTION("json", 0, OPT_BOOL, struct validate_flags, json, NULL,
	       "print the problems as JSON"),
	{ 0 },
};

struct report {
	struct arena *arena;
	bool json;
	struct table table;
	struct jw w;
	size_t n;
	bool failed;
};

static void add_problem(void *ctx, const char *pointer, int line, const char *words)
{
	struct report *r = ctx;
	const char *cells[] = {
		line ? arena_printf(r->arena, "%d", line) : "-",
		*pointer ? arena_strdup(r->arena, pointer) : "/",
		arena_strdup(r->arena, words),
	};

	r->n++;
	if (r->json) {
		jw_begin(&r->w, '{');
		jw_kstr(&r->w, "pointer", pointer);
		if (line)
			jw_kint(&r->w, "line", line);
		jw_kstr(&r->w, "problem", words);
		jw_end(&r->w);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		r->failed |= !cells[i] || table_cell(&r->table, r->arena, cells[i]) < 0;
}

static void add_error(struct report *r, const char *pointer, const struct err *why)
{
	char text[sizeof why->msg + 80];

	add_problem(r, pointer, 0, err_text(why, text, sizeof text));
}

/* What only shows on this host: a root that is none, a plan that cannot be. */
static void check_on_host(struct request *q, const char *bundle, struct spec *s,
			  const char *text, struct report *report)
{
	struct create_options o = {
		.id = "validate",
		.bundle = bundle,
		.spec = s,
		.spec_text = text,
	};
	OWN_FD dir = -1, root = -1;
	struct plan *plan;
	struct err why;

	dir = sys_openat(AT_FDCWD, bundle, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	root = !s->root_path ? 0 : sys_openat(dir, s->root_path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (root < 0) {
		err_sys(&why, root, "open the root file system '%s'", s->root_path);
		add_error(report, "/root/path", &why);
	}
	if (root == 0)
		root = -1;
	if (container_dry_run(&q->core, &o, &plan, &why) < 0)
		add_error(report, "", &why);
}

static int print_report(struct report *report, struct sb *out, struct err *e)
{
	if (report->json) {
		jw_end(&report->w);
		sb_putc(out, '\n');
	} else if (report->n) {
		table_print(&report->table, out);
	} else {
		sb_puts(out, "no problems\n");
	}
	if (out->failed || report->failed)
		return no_memory(e);
	return cli_put(out->s, out->len, e);
}

static int validate_run(struct request *q, void *options, struct err *e)
{
	const struct validate_flags *f = options;
	OWN_SB struct sb out = SB_INIT;
	struct report report = { .arena = q->core.arena, .json = f->json };
	struct spec_problems problems = { add_problem, &report };
	const char *bundle, *path;
	struct err why = { 0 };
	struct spec *s;
	char *text;
	size_t len;
	int r;

	r = bundle_path(q, q->args[0], &bundle, e);
	if (r < 0)
		return r;
	path = arena_printf(q->core.arena, "%s/config.json", bundle);
	if (!path)
		return no_memory(e);
	r = file_read(q->core.arena, AT_FDCWD, path, JSON_MAX_SIZE, &text, &len, e);
	if (r < 0)
		return r;
	report.table.columns = 3;
	report.table.min_width = 6;
	jw_init(&report.w, &out, NULL);
	if (f->json)
		jw_begin(&report.w, '[');
	else if (table_cell(&report.table, q->core.arena, "LINE") < 0 ||
		 table_cell(&report.table, q->core.arena, "POINTER") < 0 ||
		 table_cell(&report.table, q->core.arena, "PROBLEM") < 0)
		return no_memory(e);
	r = spec_parse(q->core.arena, text, len, "config.json", &problems, &s, &why);
	if (r < 0 && !report.n) /* not JSON at all */
		add_error(&report, "", &why);
	else if (r == 0)
		check_on_host(q, bundle, s, text, &report);
	r = print_report(&report, &out, e);
	return r < 0 ? r : report.n > 0;
}

const struct verb verb_validate = {
	.name = "validate",
	.summary = "print every problem of a bundle's config.json",
	.usage = "<bundle>",
	.description = "Reads config.json and prints each problem with its line and JSON pointer. Changes\n"
		       "nothing. The exit code is 1 when there is any.",
	.options = validate_options,
	.options_size = sizeof(struct validate_flags),
	.min_args = 1,
	.max_args = 1,
	.run = validate_run,
};
