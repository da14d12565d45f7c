/* exec and console: a process in a system that runs. */
#include <errno.h>
#include <string.h>

#include "attach.h"
#include "verbs_parts.h"

struct exec_flags {
	struct common common;
	struct process_flags p;
	bool uvm;
};

static const struct option_def exec_options[] = {
	PROCESS_FLAGS(struct exec_flags, p),
	OPTION("uvm", 0, OPT_BOOL, struct exec_flags, uvm, NULL, NULL),
	COMMON_FLAGS(struct exec_flags),
	{ 0 },
};

static int run_in(struct request *q, const struct exec_flags *f, char *const *args, struct err *e)
{
	const char *document = process_document(q, &f->p, args, e);
	OWN_STARTED p = STARTED_INIT;
	OWN_SYSTEM s = NULL;
	int r;

	if (!document)
		return -EINVAL;
	r = open_system(q, q->args[0], &s, e);
	if (r == 0)
		r = start_process(q, s, document, &p, e);
	if (r < 0)
		return r;
	return f->p.detach ? show_started(q, &p, e) : attach(q, &p, &f->p, e);
}

static int exec_run(struct request *q, void *options, struct err *e)
{
	struct exec_flags *f = options;

	process_flags_settle(&f->p);
	if (f->uvm)
		return not_supported(q, e, "-uvm: there is no utility VM to run it in");
	return run_in(q, f, q->args + 1, e);
}

const struct verb verb_exec = {
	.name = "exec",
	.summary = "run a program in a system, and exit with its code",
	.usage = "[-i] [-t] [-d] <id> [--] <command> [<argument>...]",
	.description = "A single argument with blanks in it is a command line, unless it stands behind \"--\".",
	.options = exec_options,
	.options_size = sizeof(struct exec_flags),
	.min_args = 2,
	.max_args = -1,
	.command = true,
	.run = exec_run,
};

static int console_run(struct request *q, void *options, struct err *e)
{
	char *shell[] = { (char[]){ "sh" }, NULL };
	struct exec_flags *f = options;

	if (f->uvm)
		return not_supported(q, e, "-uvm: there is no utility VM to run it in");
	f->p.tty = true;
	process_flags_settle(&f->p);
	return run_in(q, f, q->n_args > 1 ? q->args + 1 : shell, e);
}

static const struct option_def console_options[] = {
	OPTION("user", 'u', OPT_STRING, struct exec_flags, p.user, NULL, "NAME or UID[:GID]"),
	OPTION("cwd", 'w', OPT_STRING, struct exec_flags, p.cwd, NULL, "its working directory"),
	OPTION("env", 'e', OPT_LIST, struct exec_flags, p.env, NULL, "NAME=value, or NAME of our own"),
	OPTION("uvm", 0, OPT_BOOL, struct exec_flags, uvm, NULL, NULL),
	COMMON_FLAGS(struct exec_flags),
	{ 0 },
};

const struct verb verb_console = {
	.name = "console",
	.summary = "a shell in a system, on a terminal",
	.usage = "<id> [<command> [<argument>...]]",
	.description = "The same as 'exec -it <id> sh', or another command.",
	.options = console_options,
	.options_size = sizeof(struct exec_flags),
	.min_args = 1,
	.max_args = -1,
	.command = true,
	.run = console_run,
};

static int attach_run(struct request *q, void *options, struct err *e)
{
	return not_supported(q, e,
			     "a process's streams go to who starts it: 'run' or 'exec' without --detach, "
			     "or 'console' for a shell beside it");
}

/* Known from other tools. */
const struct verb verb_attach = {
	.name = "attach",
	.summary = "not supported: a process's streams go to who starts it",
	.usage = "<id>",
	.options = plain_options,
	.options_size = sizeof(struct plain_flags),
	.min_args = 1,
	.max_args = 1,
	.hidden = true,
	.run = attach_run,
};
