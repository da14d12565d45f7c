/* run: a system and a process in it, in one call. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "fd.h"
#include "json.h"
#include "verbs_parts.h"
#include "run.h"
#include "sys.h"

static const struct option_def run_options[] = {
	OPTION("rootfs", 0, OPT_STRING, struct run_flags, rootfs, NULL,
	       "run on this root file system, by the flags below"),
	OPTION("file", 'f', OPT_STRING, struct run_flags, file, NULL,
	       "the system's document instead; '-' is standard input"),
	PROCESS_FLAGS(struct run_flags, p),
	OPTION("memory", 'm', OPT_STRING, struct run_flags, memory, NULL, "memory limit (\"64m\")"),
	OPTION("cpus", 0, OPT_STRING, struct run_flags, cpus, NULL, "CPUs it may use (\"1.5\")"),
	OPTION("mount", 0, OPT_LIST, struct run_flags, mounts, NULL,
	       "SRC:DST[:ro], a directory, file or socket of the host"),
	OPTION("hostname", 0, OPT_STRING, struct run_flags, hostname, NULL, "default: the id"),
	OPTION("net", 0, OPT_STRING, struct run_flags, net, NULL,
	       "the network namespace: its name, its path, or 'host' (default: loopback only)"),
	OPTION("owner", 0, OPT_STRING, struct run_flags, owner, PROGRAM, "whose it is, as 'list' tells"),
	COMMON_FLAGS(struct run_flags),
	{ 0 },
};

struct running {
	bool own_command; /* the document's */
	const char *document; /* of the process */
};

/* Our ends become those of the process, the others the system's. A terminal is
 * made by the system instead. */
static int make_pipes(const struct run_flags *f, struct created *c, HCS_PROCESS_INFORMATION *ours, struct err *e)
{
	int *const mine[] = { &ours->StdInput, &ours->StdOutput, &ours->StdError };

	for (int i = f->p.input ? 0 : 1; i < 3; i++) {
		int fds[2], r = sys_pipe2(fds, O_CLOEXEC);

		if (r < 0)
			return err_sys(e, r, "make a pipe");
		*mine[i] = fds[i == 0];
		c->stdio[i] = fds[i != 0];
	}
	return 0;
}

static void close_pipes(struct created *c)
{
	for (int i = 0; i < 3; i++)
		fd_closep(&c->stdio[i]);
}

/* ---- what goes on ------------------------------------------------------------------------ */

/* It ends with us, whatever happened before; what went wrong first is told. */
static int end_system(struct request *q, HCS_SYSTEM s, int r, struct err *e)
{
	struct err ignored;
	HRESULT hr = q->hr;
	char *report = q->report;
	int ended = terminate_system(q, s, r < 0 ? &ignored : e);

	if (ended == 0)
		ended = delete_system(q, s, r < 0 ? &ignored : e);
	if (r < 0) {
		q->hr = hr;
		q->report = report;
		return r;
	}
	/* One that is gone by itself, as its lifetime wants it, is what was wanted. */
	return ended < 0 && q->hr != HCS_E_SYSTEM_NOT_FOUND ? ended : r;
}

/* A command of the document's is there before the system starts: nothing of it is
 * missed, however short it lives. */
static int run_attached(struct request *q, HCS_SYSTEM s, const struct run_flags *f, const struct running *what,
			struct started *p, struct err *e)
{
	int r = what->own_command ? start_process(q, s, what->document, p, e) : 0;

	if (r < 0 && q->hr == HCS_E_INVALID_JSON)
		err_set(e, ERR_INVALID, 0, "%s: the document brings no command of its own: name one behind \"--\"",
			request_what(q));
	if (r == 0)
		r = call_simple(q, s, HcsStartComputeSystem, NULL, e);
	if (r == 0 && !what->own_command)
		r = start_process(q, s, what->document, p, e);
	if (r == 0)
		r = attach(q, p, &f->p, e);
	return end_system(q, s, r, e);
}

static int run_detached(struct request *q, HCS_SYSTEM s, const struct running *what, struct err *e)
{
	OWN_STARTED p = STARTED_INIT;
	int r = call_simple(q, s, HcsStartComputeSystem, NULL, e);

	if (r == 0 && !what->own_command)
		r = start_process(q, s, what->document, &p, e);
	if (r < 0)
		return end_system(q, s, r, e);
	if (q->common.json)
		return show_system(q, s, e);
	r = cli_put(q->args[0], strlen(q->args[0]), e);
	return r < 0 ? r : cli_put("\n", 1, e);
}

/* The id comes first, and may be left out before "--". From here on it is
 * args[0], and the command the rest. */
static int split_args(struct request *q, char ***command, struct err *e)
{
	const char *id = id_or_new(q, q->n_before ? q->args[0] : NULL);
	char **args = arena_calloc(q->arena, q->n_args + 2, sizeof *args);

	if (!id || !args || !(args[0] = arena_strdup(q->arena, id)))
		return no_memory(e);
	for (size_t i = q->n_before ? 1 : 0, n = 1; i < q->n_args; i++)
		args[n++] = q->args[i];
	q->n_args += !q->n_before;
	q->args = args;
	*command = args + 1;
	return 0;
}

static int run_it(struct request *q, const struct run_flags *f, struct created *c, const struct running *what,
		  struct err *e)
{
	OWN_STARTED p = STARTED_INIT;
	OWN_SYSTEM s = NULL;
	int r = 0;

	if (what->own_command && !f->p.detach && !f->p.tty) {
		r = make_pipes(f, c, &p.info, e);
		p.through_shim = true;
	}
	if (r == 0)
		r = create_system(q, c, &s, e);
	close_pipes(c);
	if (r < 0)
		return r;
	return f->p.detach ? run_detached(q, s, what, e) : run_attached(q, s, f, what, &p, e);
}

static int run_run(struct request *q, void *options, struct err *e)
{
	struct run_flags *f = options;
	struct created c = { CREATED_INIT };
	struct running what = { 0 };
	char **command;

	process_flags_settle(&f->p);
	if (split_args(q, &command, e) < 0)
		return -ENOMEM;
	c.id = q->args[0];
	c.keep = f->p.detach;
	c.document = run_document(q, f, &command, e);
	if (!c.document)
		return -EINVAL;
	what.own_command = !*command;
	what.document = process_document(q, &f->p, command, e);
	return what.document ? run_it(q, f, &c, &what, e) : -EINVAL;
}

const struct verb verb_run = {
	.name = "run",
	.summary = "create and start a system, and run a program in it",
	.usage = "--rootfs <directory> [<id>] [-- <command> [<argument>...]]\n"
		 "   " PROGRAM " run -f <document> [<id>] [-- <command> [<argument>...]]",
	.description =
		"In the foreground the system is removed when the program ends, and the exit code is the\n"
		"   program's. With -d it stays until 'rm', and the id is printed. Without a command it is the\n"
		"   document's own, or a shell.",
	.options = run_options,
	.options_size = sizeof(struct run_flags),
	.max_args = -1,
	.command = true,
	.run = run_run,
};
