/* ps: the processes of a container, through the host's ps. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cgroups.h"
#include "err.h"
#include "json.h"
#include "mem.h"
#include "proc.h"
#include "record.h"
#include "str.h"
#include "verb.h"

struct ps_flags {
	const char *format;
	bool json;
};

static const struct option_def ps_options[] = {
	OPTION("format", 'f', OPT_STRING, struct ps_flags, format, "table",
	       "select one of: table or json"),
	OPTION("json", 0, OPT_BOOL, struct ps_flags, json, NULL, "the same as --format json"),
	{ 0 },
};

int cgroups_open(struct request *q, const struct container *ct, struct cgroup *ret,
		 struct err *e)
{
	const struct cgroup_host *host;
	int r;

	if (!ct->rec->cgroup_path)
		return err_set(e, ERR_UNSUPPORTED, 0, "the container has no cgroup");
	r = core_cgroup(&q->core, &host, e);
	if (r < 0)
		return r;
	return cgroup_open(ret, host, ct->rec->cgroup_path, e);
}

struct pids {
	pid_t *v;
	size_t n;
};

static int find_pids(struct request *q, struct pids *ret, struct err *e)
{
	struct container ct;
	struct cgroup cg;
	int r;

	r = request_open(q, false, &ct, e);
	if (r < 0)
		return r;
	*ret = (struct pids){ NULL, 0 };
	if (ct.state == CT_STOPPED) {
		container_close(&ct);
		return 0;
	}
	r = cgroups_open(q, &ct, &cg, e);
	container_close(&ct);
	if (r < 0)
		return r;
	r = cgroup_pids(&cg, q->core.arena, &ret->v, &ret->n, e);
	cgroup_done(&cg);
	return r;
}

static int print_json(const struct pids *p, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;
	struct jw w;

	jw_init(&w, &out, NULL);
	if (p->n) {
		jw_begin(&w, '[');
		for (size_t i = 0; i < p->n; i++)
			jw_int(&w, p->v[i]);
		jw_end(&w);
	} else {
		jw_null(&w); /* as runc says it */
	}
	sb_putc(&out, '\n');
	return cli_put_sb(&out, e);
}

/* The n-th word of a line, copied; the line stays. False: there is none. */
static bool word_at(const char *line, size_t n, char *buf, size_t cap)
{
	for (;; n--) {
		size_t len;

		line += strspn(line, " \t");
		len = strcspn(line, " \t");
		if (!len)
			return false;
		if (n == 0) {
			snprintf(buf, cap, "%.*s", (int)len, line);
			return true;
		}
		line += len;
	}
}

static int pid_column(const char *title, size_t *ret, struct err *e)
{
	char word[64];

	for (size_t i = 0; word_at(title, i, word, sizeof word); i++) {
		if (!strcmp(word, "PID")) {
			*ret = i;
			return 0;
		}
	}
	return err_set(e, ERR_INVALID, 0, "couldn't find PID field in ps output");
}

static bool has_pid(const struct pids *p, pid_t pid)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i] == pid)
			return true;
	return false;
}

/* Keeps the title and the lines of our processes. */
static int filter(const struct pids *p, char *text, struct sb *out, struct err *e)
{
	char *line = strsep(&text, "\n"), word[64];
	size_t column = 0;
	int32_t pid;
	int r;

	r = pid_column(line, &column, e);
	if (r < 0)
		return r;
	sb_printf(out, "%s\n", line);
	while ((line = strsep(&text, "\n"))) {
		if (!*line)
			continue;
		if (!word_at(line, column, word, sizeof word) || parse_i32(word, &pid) < 0)
			return err_set(e, ERR_INVALID, 0, "unable to parse pid: \"%s\"", line);
		if (has_pid(p, pid))
			sb_printf(out, "%s\n", line);
	}
	return 0;
}

static int print_table(struct request *q, const struct pids *p, struct err *e)
{
	OWN_SB struct sb text = SB_INIT, out = SB_INIT;
	const char **argv = arena_calloc(q->core.arena, q->n_args + 3, sizeof *argv);
	int r;

	if (!argv)
		return err_sys(e, -ENOMEM, "run ps");
	argv[0] = "ps";
	argv[1] = "-ef";
	for (size_t i = 1; i < q->n_args; i++)
		argv[i] = q->args[i];
	r = proc_capture(argv, &text);
	if (r == -ENOENT)
		return err_set(e, ERR_NOT_FOUND, 0,
			       "exec: \"ps\": executable file not found in $PATH");
	if (r < 0)
		return err_sys(e, r, "run ps");
	if (text.failed)
		return err_sys(e, -ENOMEM, "run ps");
	if (r > 0)
		return err_set(e, ERR_INVALID, 0, "exit status %d: %s", r, text.len ? text.s : "");
	r = filter(p, text.len ? text.s : (char[]){ "" }, &out, e);
	if (r < 0)
		return r;
	return cli_put_sb(&out, e);
}

static int ps_run(struct request *q, void *options, struct err *e)
{
	const struct ps_flags *f = options;
	struct pids p;
	int r;

	r = find_pids(q, &p, e);
	if (r < 0)
		return r;
	if (f->json || !strcmp(f->format, "json"))
		return print_json(&p, e);
	if (strcmp(f->format, "table") != 0)
		return err_set(e, ERR_INVALID, 0, "invalid format option");
	return print_table(q, &p, e);
}

const struct verb verb_ps = {
	.name = "ps",
	.summary = "displays the processes running inside a container",
	.usage = "<container-id> [ps options]",
	.options = ps_options,
	.options_size = sizeof(struct ps_flags),
	.min_args = 1,
	.max_args = -1,
	.run = ps_run,
};
