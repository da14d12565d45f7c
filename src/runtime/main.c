/* berth, an OCI runtime: reads the command line, calls a verb, reports its
 * error, and ends with its exit code. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "err.h"
#include "fault.h"
#include "fd.h"
#include "log.h"
#include "mem.h"
#include "proc.h"
#include "revision.h"
#include "selfexe.h"
#include "spec_features.h"
#include "str.h"
#include "sys.h"
#include "verb.h"

#define UNKNOWN_COMMAND 3 /* what users of runc get */
#ifdef __GLIBC__
#define LIBC "glibc"
#else
#define LIBC "musl"
#endif

/* Root in a user namespace of its own counts as an ordinary user, unless it
 * says with USER=root that it is none. */
static bool is_ordinary_user(bool in_user_ns)
{
	const char *user;

	if (geteuid() != 0)
		return true;
	if (!in_user_ns)
		return false;
	user = getenv("USER");
	return !user || strcmp(user, "root") != 0;
}

static int set_root(struct request *q, struct err *e)
{
	const char *root = q->globals.root, *xdg = getenv("XDG_RUNTIME_DIR");
	char cwd[4096];
	ssize_t n;

	if (str_empty(root))
		root = !str_empty(xdg) && is_ordinary_user(q->core.in_user_ns) ?
			       arena_printf(q->core.arena, "%s/berth", xdg) :
			       DEFAULT_ROOT;
	if (root && *root != '/') {
		n = sys_getcwd(cwd, sizeof cwd);
		if (n < 0)
			return err_sys(e, (int)n, "find the current directory");
		root = arena_printf(q->core.arena, "%s/%s", cwd, root);
	}
	if (!root)
		return err_sys(e, -ENOMEM, "read the command line");
	q->core.root = root;
	return 0;
}

static int set_rootless(struct request *q, struct err *e)
{
	const char *s = q->globals.rootless;

	if (str_empty(s) || !strcmp(s, "auto")) {
		q->core.rootless = geteuid() != 0 || q->core.in_user_ns;
		return 0;
	}
	if (bool_parse(s, &q->core.rootless) < 0)
		return err_set(e, ERR_INVALID, 0,
			       "invalid value for --rootless: \"%s\": not 'true', 'false' or 'auto'", s);
	return 0;
}

static int set_cgroup_manager(struct request *q, struct err *e)
{
	const char *s = q->globals.cgroup_manager;

	q->core.systemd_cgroup = q->globals.systemd_cgroup;
	if (str_empty(s) || !strcmp(s, "cgroupfs"))
		return 0;
	q->core.no_cgroup = !strcmp(s, "disabled");
	if (q->core.no_cgroup)
		return 0;
	if (strcmp(s, "systemd") != 0)
		return err_set(e, ERR_INVALID, 0, "unknown cgroup manager '%s'", s);
	q->core.systemd_cgroup = true;
	return 0;
}

static int set_log(const struct global_options *g, struct err *e)
{
	bool json = !strcmp(g->log_format, "json");
	struct log_options o = { .file = g->log, .json = json, .debug = g->debug };

	if (!json && strcmp(g->log_format, "text") != 0) {
		log_open(&(struct log_options){ 0 }, NULL);
		return err_set(e, ERR_INVALID, 0, "invalid log-format: %s", g->log_format);
	}
	return log_open(&o, e);
}

/* fds that were passed by socket activation and are meant for us: 3 and up. */
static uint32_t listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint32_t p, n;

	if (!pid || !fds || parse_u32(pid, &p) < 0 || parse_u32(fds, &n) < 0)
		return 0;
	return p == (uint32_t)getpid() ? n : 0;
}

/* Whatever else was inherited is no business of ours and must not get into a
 * container: closed, but for what the command line preserves. */
static int close_inherited_fds(const struct request *q, const void *options, struct err *e)
{
	const struct option_def *d = q->verb->options;
	int64_t keep = 0;

	for (; d && d->name; d++)
		if (!strcmp(d->name, "preserve-fds"))
			memcpy(&keep, (const char *)options + d->offset, sizeof keep);
	if (keep >= 0)
		keep += q->listen_fds;
	if (keep < 0 || keep > 65536)
		return err_set(e, ERR_INVALID, 0, "invalid number of fds to preserve: %lld",
			       (long long)keep);
	for (int i = 0; i < (int)keep; i++) {
		int r = sys_fcntl(3 + i, F_SETFD, FD_CLOEXEC);

		if (r < 0)
			return err_sys(e, r, "preserve fd %d (of %lld)", 3 + i, (long long)keep);
	}
	fd_close_from(3 + (unsigned)keep);
	return 0;
}

static int fatal(int code, const struct err *e)
{
	char text[sizeof e->msg + 80];

	log_line(LOG_LEVEL_ERROR, err_text(e, text, sizeof text));
	return code;
}

static void incorrect_usage(const struct verb *v, const char *text)
{
	OWN_SB struct sb s = SB_INIT;

	if (*text)
		sb_printf(&s, v ? "Incorrect Usage: %s\n\n" : "Incorrect Usage. %s\n\n", text);
	else
		sb_puts(&s, "Incorrect Usage.\n\n");
	cli_put_sb(&s, NULL);
	if (v)
		cli_help_verb(&program, v, NULL);
	else
		cli_help(&program, NULL);
}

/* How a page of help or the version ends the program. */
static int printed(int r, const struct err *e)
{
	return r < 0 ? fatal(1, e) : 0;
}

/* The verb that is in no table. */
static int run_help(const char *name)
{
	const struct verb *v = name ? cli_find(&program, name) : NULL;
	struct err e;

	if (v)
		return printed(cli_help_verb(&program, v, &e), &e);
	if (!name)
		return printed(cli_help(&program, &e), &e);
	err_set(&e, ERR_INVALID, 0, "No help topic for '%s'", name);
	return fatal(UNKNOWN_COMMAND, &e);
}

static int prepare(struct request *q, struct err *e)
{
	int r;

	q->core.in_user_ns = proc_in_user_ns();
	r = set_root(q, e);
	if (r == 0)
		r = set_rootless(q, e);
	if (r == 0)
		r = set_cgroup_manager(q, e);
	return r;
}

/* 0, 1 and 2 exist: nothing that is opened later may take their place. */
static void open_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (sys_fcntl(fd, F_GETFD, 0) == -EBADF)
			sys_openat(AT_FDCWD, "/dev/null", O_RDWR, 0);
}

static int check_and_run(struct request *q, void *options, struct err *e)
{
	int r = prepare(q, e);

	return r < 0 ? r : q->verb->run(q, options, e);
}

static int run_verb(struct request *q, char **args)
{
	static const struct option_def none[] = { { 0 } };
	const struct verb *v = q->verb;
	int usage, r = 0, failure = v->failure ? v->failure : 1;
	struct err e = { 0 }, log_error = { 0 };
	void *options;

	options = arena_alloc(q->core.arena, v->options_size + 1);
	if (!options)
		return fatal(1, (err_sys(&e, -ENOMEM, "read the command line"), &e));
	usage = options_parse(q->core.arena, v->options ? v->options : none, options, &args, &e);
	if (usage == OPTIONS_HELP)
		return printed(cli_help_verb(&program, v, &e), &e);
	q->args = args;
	while (args[q->n_args])
		q->n_args++;
	q->listen_fds = listen_fds();
	if (usage == 0 && v->enters)
		r = selfexe_protect(q->argv, &e); /* before fds to preserve are made close-on-exec */
	if (usage == 0 && r == 0)
		r = close_inherited_fds(q, options, &e);
	if (set_log(&q->globals, &log_error) < 0)
		return fatal(1, &log_error);
	if (usage < 0) {
		incorrect_usage(v, e.msg);
		return fatal(1, &e);
	}
	if (cli_check_args(&program, v, q->n_args, &e) < 0) {
		incorrect_usage(v, "");
		return fatal(1, &e);
	}
	if (r == 0)
		r = check_and_run(q, options, &e);
	return r < 0 ? fatal(failure, &e) : r;
}

static int print_version(struct err *e)
{
	OWN_SB struct sb out = SB_INIT;

	sb_printf(&out,
		  PROGRAM " version " BERTH_VERSION "\ncommit: %s\nspec: " SPEC_VERSION_MAX "\nlibc: " LIBC "\n",
		  *BERTH_REVISION ? BERTH_REVISION : "v" BERTH_VERSION); /* clients look for one */
	return cli_put_sb(&out, e);
}

int main(int argc, char **argv)
{
	/* Not freed: the process ends, and after a fork every block that is
	 * touched again costs a page fault. */
	static struct arena arena = ARENA_INIT;
	struct request q = { .core = { .arena = &arena }, .argv = argv };
	char **args = argv + (argc > 0);
	struct err e = { 0 };
	int r;

	fault_init();
	/* Executed from an fd, the kernel calls us by its number. */
	sys_prctl(PR_SET_NAME, (unsigned long)PROGRAM, 0, 0);
	open_standard_fds();
	r = options_parse(&arena, program.flags, &q.globals, &args, &e);
	if (r < 0) {
		log_open(&(struct log_options){ 0 }, NULL);
		incorrect_usage(NULL, e.msg);
		return fatal(1, &e);
	}
	if (q.globals.version)
		return printed(print_version(&e), &e);
	if (r == OPTIONS_HELP || !*args)
		return run_help(NULL);
	if (!strcmp(*args, "help") || !strcmp(*args, "h"))
		return run_help(args[1]);
	q.verb = cli_find(&program, *args);
	if (!q.verb) {
		log_open(&(struct log_options){ .json = !strcmp(q.globals.log_format, "json") }, NULL);
		return run_help(*args);
	}
	return run_verb(&q, args + 1);
}
