/* Flags of run and exec -> ProcessParameters -> a process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "fd.h"
#include "json.h"
#include "term.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

void process_flags_settle(struct process_flags *f)
{
	f->tty = f->tty || f->it || f->dt;
	f->detach = f->detach || f->dt;
	f->input = f->input || f->tty;
	if (f->detach)
		f->input = false;
}

/* ---- the environment: the last of each name ------------------------------------------ */

static bool is_name(const char *entry, const char *name, size_t len)
{
	return !strncmp(entry, name, len) && (entry[len] == '=' || !entry[len]);
}

static bool is_set(const struct process_flags *f, const char *name, size_t len, size_t from)
{
	for (size_t i = from; i < f->env.n; i++)
		if (is_name(f->env.v[i], name, len))
			return true;
	return false;
}

static void default_env(struct jw *w, const struct process_flags *f, const char *name, const char *value)
{
	if (value && !is_set(f, name, strlen(name), 0))
		jw_kstr(w, name, value);
}

/* A system that brings its own command has its own environment, too. */
static int environment(struct request *q, struct jw *w, const struct process_flags *f, struct err *e)
{
	jw_kbegin(w, "Environment", '{');
	default_env(w, f, "PATH", PATH_DEFAULT);
	if (f->tty)
		default_env(w, f, "TERM", getenv("TERM") ? getenv("TERM") : "xterm");
	for (size_t i = 0; i < f->env.n; i++) {
		size_t len = strcspn(f->env.v[i], "=");
		const char *name = arena_strndup(q->arena, f->env.v[i], len);
		const char *value = f->env.v[i][len] ? f->env.v[i] + len + 1 : NULL;

		if (!name)
			return no_memory(e);
		if (!len)
			return bad_usage(q, e, "--env '%s' has no name", f->env.v[i]);
		if (!value)
			value = getenv(name);
		if (value && !is_set(f, name, len, i + 1))
			jw_kstr(w, name, value);
	}
	jw_end(w);
	return 0;
}

/* ---- the document ------------------------------------------------------------------------ */

static void console(struct jw *w)
{
	uint16_t rows, cols;

	jw_kbool(w, "EmulateConsole", true);
	if (term_own_size(&rows, &cols) < 0 || !rows || !cols)
		return;
	jw_kbegin(w, "ConsoleSize", '[');
	jw_uint(w, rows);
	jw_uint(w, cols);
	jw_end(w);
}

/* hcsdiag takes a command line: so is a single argument that has blanks in it,
 * unless it stands behind "--". */
static void command(struct request *q, struct jw *w, char *const *args)
{
	if (!args[1] && !q->dashes && strpbrk(args[0], " \t")) {
		jw_kstr(w, "CommandLine", args[0]);
		return;
	}
	jw_kbegin(w, "CommandArgs", '[');
	for (; *args; args++)
		jw_str(w, *args);
	jw_end(w);
}

const char *process_document(struct request *q, const struct process_flags *f, char *const *args, struct err *e)
{
	OWN_SB struct sb b = SB_INIT;
	char *copy;
	struct jw w;

	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	if (*args) {
		command(q, &w, args);
		if (environment(q, &w, f, e) < 0)
			return NULL;
	}
	if (f->user)
		jw_kstr(&w, "User", f->user);
	if (f->cwd)
		jw_kstr(&w, "WorkingDirectory", f->cwd);
	if (f->tty)
		console(&w);
	if (f->input)
		jw_kbool(&w, "CreateStdInPipe", true);
	if (!f->detach) {
		jw_kbool(&w, "CreateStdOutPipe", true);
		jw_kbool(&w, "CreateStdErrPipe", !f->tty);
	}
	jw_end(&w);
	copy = b.failed ? NULL : arena_strdup(q->arena, b.s);
	if (!copy)
		no_memory(e);
	return copy;
}

/* ---- the process ---------------------------------------------------------------------------- */

static void take_stream(int *ours, int fd)
{
	if (*ours < 0)
		*ours = fd;
	else
		fd_closep(&fd);
}

int start_process(struct request *q, HCS_SYSTEM s, const char *document, struct started *ret, struct err *e)
{
	OWN_OPERATION op = operation_new(e);
	HCS_PROCESS_INFORMATION info;
	HRESULT hr;
	int r;

	if (!op)
		return -ENOMEM;
	hr = HcsCreateProcess(s, document, op, NULL, &ret->process);
	r = finish(q, op, hr, NULL, e);
	if (r < 0)
		return r;
	hr = HcsGetOperationResultAndProcessInfo(op, &info, NULL);
	if (FAILED(hr))
		return failed(q, hr, NULL, e);
	/* What we have already are the other ends of what the system was given. */
	ret->info.ProcessId = info.ProcessId;
	take_stream(&ret->info.StdInput, info.StdInput);
	take_stream(&ret->info.StdOutput, info.StdOutput);
	take_stream(&ret->info.StdError, info.StdError);
	return 0;
}

void started_done(struct started *p)
{
	HcsCloseProcess(p->process);
	fd_closep(&p->info.StdInput);
	fd_closep(&p->info.StdOutput);
	fd_closep(&p->info.StdError);
	p->process = NULL;
}

int show_started(struct request *q, const struct started *p, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;
	struct jw w;

	if (!q->common.json) {
		sb_printf(&out, "%u\n", p->info.ProcessId);
		return cli_put_sb(&out, e);
	}
	jw_init(&w, &out, NULL);
	jw_begin(&w, '{');
	jw_kstr(&w, "Id", q->args[0]);
	jw_kuint(&w, "ProcessId", p->info.ProcessId);
	jw_end(&w);
	sb_putc(&out, '\n');
	return cli_put_sb(&out, e);
}
