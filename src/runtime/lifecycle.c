/* create, run, start, delete; and checkpoint and restore, which say no. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "bundle.h"
#include "err.h"
#include "fd.h"
#include "foreground.h"
#include "log.h"
#include "mem.h"
#include "planner.h"
#include "quick.h"
#include "spec.h"
#include "str.h"
#include "sys.h"
#include "verb.h"

struct create_flags {
	const char *bundle, *console_socket, *pid_file, *pidfd_socket;
	bool no_pivot, no_new_keyring, dry_run, json;
	int64_t preserve_fds;
	/* run alone: */
	bool detach, keep, no_subreaper;
	struct quick_flags quick;
};

#define FLAG(name, letter, type, member, otherwise, help)                      \
	OPTION(name, letter, type, struct create_flags, member, otherwise, help)

/* What create and run share. */
#define CREATE_FLAGS                                                                                \
	FLAG("bundle", 'b', OPT_STRING, bundle, NULL,                                               \
	     "path to the root of the bundle directory, defaults to the current directory"),        \
	FLAG("console-socket", 0, OPT_STRING, console_socket, NULL,                                 \
	     "path to an AF_UNIX socket which will receive the master end of the terminal"),        \
	FLAG("pid-file", 0, OPT_STRING, pid_file, NULL, "write the process id to this file"),       \
	FLAG("pidfd-socket", 0, OPT_STRING, pidfd_socket, NULL,                                     \
	     "path to an AF_UNIX socket which will receive a pidfd of the process"),                \
	FLAG("no-pivot", 0, OPT_BOOL, no_pivot, NULL,                                               \
	     "do not use pivot_root: for a root file system on a ramdisk"),                         \
	FLAG("no-new-keyring", 0, OPT_BOOL, no_new_keyring, NULL,                                   \
	     "keep the caller's session keyring"),                                                  \
	FLAG("preserve-fds", 0, OPT_INT, preserve_fds, "0",                                         \
	     "pass N more file descriptors (stdio + $LISTEN_FDS + N in total)"),                    \
	FLAG("dry-run", 0, OPT_BOOL, dry_run, NULL,                                                 \
	     "print what would be done, and do nothing"),                                           \
	FLAG("json", 0, OPT_BOOL, json, NULL, "with --dry-run: print it as JSON")

static const struct option_def create_options[] = { CREATE_FLAGS, { 0 } };

static const struct option_def run_options[] = {
	CREATE_FLAGS,
	FLAG("detach", 'd', OPT_BOOL, detach, NULL, "detach from the container's process"),
	FLAG("keep", 0, OPT_BOOL, keep, NULL, "do not delete the container after it exits"),
	FLAG("no-subreaper", 0, OPT_BOOL, no_subreaper, NULL,
	     "do not become the reaper of orphaned processes"),
	QUICK_FLAGS(struct create_flags, quick),
	{ 0 },
};

static const char id_usage[] =
	"<container-id>\n\n"
	"Where \"<container-id>\" is your name for the instance of the container that you\n"
	"are starting. The name must be unique on your host.";

static int load(struct request *q, const struct create_flags *f, struct bundle *b,
		struct err *e)
{
	int r;

	if (f->quick.rootfs)
		r = quick_bundle(q, &f->quick, b, e);
	else
		r = bundle_load(q, f->bundle, b, e);
	if (r < 0)
		return r;
	return bundle_add_listen_fds(q, b->spec->process, e);
}

static struct create_options options_of(const struct request *q, const struct create_flags *f,
					const struct bundle *b)
{
	return (struct create_options){
		.id = q->args[0],
		.bundle = b->path,
		.spec = b->spec,
		.spec_text = b->text,
		.console_socket = f->console_socket,
		.pid_file = f->pid_file,
		.pidfd_socket = f->pidfd_socket,
		.no_pivot = f->no_pivot,
		.no_new_keyring = f->no_new_keyring,
		.preserve_fds = (uint32_t)f->preserve_fds + q->listen_fds,
	};
}

static int dry_run(struct request *q, const struct create_options *o, bool json, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;
	struct plan *p;
	int r = container_dry_run(&q->core, o, &p, e);

	if (r < 0)
		return r;
	if (json)
		plan_print_json(p, &out);
	else
		plan_print(p, &out);
	if (out.failed)
		return err_sys(e, -ENOMEM, "print the plan");
	return cli_put(out.s, out.len, e);
}

/* With --debug the log says what is going to be done, a line for each step. */
static void log_plan(struct request *q, const struct create_options *o)
{
	OWN_SB struct sb out = SB_INIT;
	struct plan *p;
	char *rest, *line;

	if (!log_debug_enabled() || container_dry_run(&q->core, o, &p, NULL) < 0)
		return;
	plan_print(p, &out);
	rest = out.failed ? NULL : out.s;
	while ((line = strsep(&rest, "\n")))
		if (*line)
			log_line(LOG_LEVEL_DEBUG, line);
}

/* Its own error is told here: the exit code is that of the container. */
static void delete_after(struct request *q)
{
	struct err e;
	char text[sizeof e.msg + 80];

	if (container_delete(&q->core, q->args[0], true, &e) < 0)
		log_line(LOG_LEVEL_ERROR, err_text(&e, text, sizeof text));
}

static int run_foreground(struct request *q, const struct create_flags *f,
			  struct create_options *o, struct err *e)
{
	OWN_FOREGROUND struct foreground fg = FOREGROUND_INIT;
	OWN_FD pidfd = -1;
	pid_t pid;
	int r;

	if (!f->no_subreaper)
		sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0);
	r = foreground_begin(&fg, e);
	if (r < 0)
		return r;
	foreground_size(o->spec->process);
	o->ret_master = &fg.master;
	r = container_create(&q->core, o, &pidfd, &pid, e);
	if (r < 0)
		return r;
	r = foreground_wait(&fg, pidfd, pid, e);
	if (r < 0 || !f->keep)
		delete_after(q);
	return r;
}

/* create, and run */
static int make_container(struct request *q, const struct create_flags *f, bool run, struct err *e)
{
	struct create_options o;
	struct bundle b;
	OWN_FD pidfd = -1;
	pid_t pid;
	int r;

	r = load(q, f, &b, e);
	if (r < 0)
		return r;
	o = options_of(q, f, &b);
	o.run = run;
	if (f->dry_run)
		return dry_run(q, &o, f->json, e);
	log_plan(q, &o);
	if (run && !f->detach)
		return run_foreground(q, f, &o, e);
	return container_create(&q->core, &o, &pidfd, &pid, e);
}

/* ---- create --------------------------------------------------------------- */

static int create_run(struct request *q, void *options, struct err *e)
{
	int r = make_container(q, options, false, e);

	return r < 0 ? err_wrap(e, r, PROGRAM " create failed") : 0;
}

const struct verb verb_create = {
	.name = "create",
	.summary = "create a container",
	.usage = id_usage,
	.description =
		"Creates a container from a bundle: a directory with a specification file named\n"
		"\"config.json\" and a root file system. Its process waits until \"" PROGRAM " start\".",
	.options = create_options,
	.options_size = sizeof(struct create_flags),
	.min_args = 1,
	.max_args = 1,
	.run = create_run,
	.enters = true,
};

/* ---- run ------------------------------------------------------------------ */

static int run_run(struct request *q, void *options, struct err *e)
{
	const struct create_flags *f = options;
	int r;

	if (!f->quick.rootfs && q->n_args > 1)
		return err_set(e, ERR_INVALID, 0,
			       PROGRAM ": \"run\" takes a command only with --rootfs");
	r = make_container(q, f, true, e);
	return r < 0 ? err_wrap(e, r, PROGRAM " run failed") : r;
}

const struct verb verb_run = {
	.name = "run",
	.summary = "create and run a container",
	.usage = id_usage,
	.description =
		"Creates a container from a bundle, starts it, waits for its end and deletes it. The\n"
		"exit code is the container's, or 128 and the number of the signal that ended it.\n\n"
		"With --rootfs there is no bundle: the container is made from a default\n"
		"specification, from the flags, and from the command after its id:\n\n"
		"    # " PROGRAM " run --rootfs <directory> <container-id> [command...]",
	.options = run_options,
	.options_size = sizeof(struct create_flags),
	.min_args = 1,
	.max_args = -1,
	.run = run_run,
	.enters = true,
};

/* ---- start, delete -------------------------------------------------------- */

static int start_run(struct request *q, void *options, struct err *e)
{
	struct container ct;
	int r;

	r = request_open(q, true, &ct, e);
	if (r < 0)
		return r;
	r = container_start(&ct, e);
	container_close(&ct);
	return r < 0 ? r : 0;
}

const struct verb verb_start = {
	.name = "start",
	.summary = "executes the user defined process in a created container",
	.usage = id_usage,
	.description = "Executes the user defined process in a created container.",
	.min_args = 1,
	.max_args = 1,
	.run = start_run,
	.enters = true,
};

struct delete_flags {
	bool force;
};

static const struct option_def delete_options[] = {
	OPTION("force", 'f', OPT_BOOL, struct delete_flags, force, NULL,
	       "kill the container first if it is still running (SIGKILL)"),
	{ 0 },
};

static int delete_run(struct request *q, void *options, struct err *e)
{
	const struct delete_flags *f = options;
	int r;

	if (str_empty(q->args[0]))
		return err_set(e, ERR_INVALID, 0, "container id cannot be empty");
	r = container_delete(&q->core, q->args[0], f->force, e);
	return r < 0 ? r : 0;
}

const struct verb verb_delete = {
	.name = "delete",
	.summary = "delete any resources held by the container, often used with a detached one",
	.usage = "<container-id>\n\n"
		 "Where \"<container-id>\" is the name for the instance of the container.",
	.options = delete_options,
	.options_size = sizeof(struct delete_flags),
	.min_args = 1,
	.max_args = 1,
	.run = delete_run,
};

/* ---- checkpoint, restore -------------------------------------------------- */

static int not_supported(struct request *q, void *options, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, 0, "%s: not supported yet", q->verb->name);
}

const struct verb verb_checkpoint = {
	.name = "checkpoint",
	.summary = "checkpoint a running container (not supported yet)",
	.usage = "<container-id>",
	.min_args = 1,
	.max_args = -1,
	.run = not_supported,
};

const struct verb verb_restore = {
	.name = "restore",
	.summary = "restore a container from a checkpoint (not supported yet)",
	.usage = "<container-id>",
	.min_args = 1,
	.max_args = -1,
	.run = not_supported,
};
