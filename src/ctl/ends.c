/* wait: how a system or a process ended. kill: a signal, or the end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ctl.h"
#include "json.h"
#include "verbs_parts.h"

/* ---- wait ---------------------------------------------------------------------------- */

struct wait_flags {
	struct common common;
	const char *timeout;
	int64_t pid;
};

static const struct option_def wait_options[] = {
	OPTION("timeout", 't', OPT_STRING, struct wait_flags, timeout, NULL,
	       "wait at most so long: seconds, or \"1m30s\""),
	OPTION("pid", 'p', OPT_INT, struct wait_flags, pid, NULL,
	       "for a process that 'exec' has made, instead of the system"),
	COMMON_FLAGS(struct wait_flags),
	{ 0 },
};

/* The code of a process, or what ended it. */
static void code_words(const struct json *v, struct sb *out)
{
	int64_t signal = json_i64(json_get(v, "Signal"), 0);

	if (signal)
		sb_printf(out, "signal %lld", (long long)signal);
	else
		sb_printf(out, "code %lld", (long long)json_i64(json_get(v, "ExitCode"), 0));
	if (json_get(v, "OomKilled") && json_get(v, "OomKilled")->b)
		sb_puts(out, ", out of memory");
}

static const char *exit_type_words(const char *type)
{
	static const char *const words[][2] = {
		{ "GracefulExit", "ended by itself" },
		{ "ForcedExit", "was ended" },
		{ "UnexpectedExit", "ended unexpectedly" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(type, words[i][0]))
			return words[i][1];
	return "ended";
}

static int show_exit(struct request *q, const char *text, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;
	const struct json *list;
	struct json_doc doc;
	int r;

	if (q->common.json)
		return show_json(q, text, e);
	r = read_json(q, text, "exit status", &doc, e);
	if (r < 0)
		return r;
	sb_printf(&out, "%s", exit_type_words(json_string(json_get(doc.root, "ExitType"), "")));
	list = json_get(doc.root, "Attribution");
	for (uint32_t i = 0; list && i < list->n; i++) {
		const struct json *process = json_get(json_at(list, i), "ProcessExit"),
				  *system = json_get(json_at(list, i), "SystemExit");

		if (process) {
			sb_puts(&out, ": ");
			code_words(process, &out);
		}
		if (system)
			sb_printf(&out, " (%s, %s)", json_string(json_get(system, "Detail"), "?"),
				  json_string(json_get(system, "Initiator"), "?"));
	}
	sb_putc(&out, '\n');
	return cli_put_sb(&out, e);
}

static int show_process_exit(struct request *q, const char *text, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;
	struct json_doc doc;
	int r;

	if (q->common.json)
		return show_json(q, text, e);
	r = read_json(q, text, "process status", &doc, e);
	if (r < 0)
		return r;
	sb_puts(&out, "ended: ");
	code_words(doc.root, &out);
	sb_putc(&out, '\n');
	return cli_put_sb(&out, e);
}

bool process_ended(void *ctx)
{
	return HcsWaitForProcessExit(ctx, 0, NULL) != HCS_E_OPERATION_TIMEOUT;
}

static int wait_process(struct request *q, HCS_SYSTEM s, int64_t pid, int64_t until, struct err *e)
{
	struct progress p = { .what = request_what(q), .phase = "it runs" };
	OWN_PROCESS process = NULL;
	OWN_RESULT doc = NULL;
	HRESULT hr;
	int r;

	hr = HcsOpenProcess(s, (uint32_t)pid, GENERIC_ALL, &process);
	if (FAILED(hr))
		return failed_last(q, hr, e);
	r = drive(process_ended, process, until, &p, e);
	if (r == -ETIMEDOUT)
		return err_set(e, ERR_TIMEOUT, 0, "%s: the process goes on", p.what);
	if (r < 0)
		return r;
	hr = HcsWaitForProcessExit(process, 0, &doc);
	if (FAILED(hr) && (hr != HCS_E_SERVICE_DISCONNECT || !doc))
		return failed_last(q, hr, e);
	return show_process_exit(q, doc, e);
}

static int wait_run(struct request *q, void *options, struct err *e)
{
	const struct wait_flags *f = options;
	OWN_RESULT doc = NULL;
	OWN_SYSTEM s = NULL;
	int64_t limit;
	int r = parse_timeout(q, f->timeout, &limit, e);

	if (r == 0 && (f->pid < 0 || f->pid > UINT32_MAX))
		r = bad_usage(q, e, "%lld is no process id", (long long)f->pid);
	if (r == 0)
		r = open_system(q, q->args[0], &s, e);
	if (r < 0)
		return r;
	if (limit != FOREVER)
		limit += clock_ms();
	if (f->pid)
		return wait_process(q, s, f->pid, limit, e);
	r = wait_exit(q, s, limit, "it runs", &doc, e);
	return r < 0 ? r : show_exit(q, doc, e);
}

const struct verb verb_wait = {
	.name = "wait",
	.summary = "wait until a system has stopped, and tell how",
	.usage = "[--timeout <time>] <id>",
	.options = wait_options,
	.options_size = sizeof(struct wait_flags),
	.min_args = 1,
	.max_args = 1,
	.run = wait_run,
};

/* ---- kill ----------------------------------------------------------------------------- */

struct kill_flags {
	struct common common;
	const char *signal;
	int64_t pid;
	bool uvm;
};

static const struct option_def kill_options[] = {
	OPTION("signal", 's', OPT_STRING, struct kill_flags, signal, NULL,
	       "send this signal to one process: TERM, SIGTERM, 15, CtrlC"),
	OPTION("pid", 'p', OPT_INT, struct kill_flags, pid, NULL,
	       "to a process that 'exec' has made, instead of the first"),
	OPTION("uvm", 0, OPT_BOOL, struct kill_flags, uvm, NULL, NULL),
	COMMON_FLAGS(struct kill_flags),
	{ 0 },
};

static char *signal_document(struct request *q, const char *signal)
{
	OWN_SB struct sb b = SB_INIT;
	uint32_t n;
	struct jw w;

	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	if (parse_u32(signal, &n) == 0)
		jw_kuint(&w, "Signal", n);
	else
		jw_kstr(&w, "Signal", signal);
	jw_end(&w);
	return b.failed ? NULL : arena_strdup(q->arena, b.s);
}

static int send_signal(struct request *q, HCS_SYSTEM s, uint32_t pid, const char *signal, struct err *e)
{
	const char *document = signal_document(q, signal);
	OWN_OPERATION op = operation_new(e);
	OWN_PROCESS process = NULL;
	HRESULT hr;

	if (!op || !document)
		return no_memory(e);
	hr = HcsOpenProcess(s, pid, GENERIC_ALL, &process);
	if (FAILED(hr))
		return failed_last(q, hr, e);
	return finish(q, op, HcsSignalProcess(process, op, document), NULL, e);
}

static int kill_run(struct request *q, void *options, struct err *e)
{
	const struct kill_flags *f = options;
	const char *signal = q->n_args > 1 ? q->args[1] : f->signal;
	OWN_SYSTEM s = NULL;
	int r;

	if (q->n_args > 1 && f->signal)
		return bad_usage(q, e, "names a signal twice");
	if (f->pid < 0 || f->pid > UINT32_MAX)
		return bad_usage(q, e, "%lld is no process id", (long long)f->pid);
	if (f->uvm)
		return not_supported(q, e, "-uvm: there is no utility VM");
	if (f->pid && !signal)
		signal = "SIGKILL";
	r = open_system(q, q->args[0], &s, e);
	if (r == 0)
		r = signal ? send_signal(q, s, (uint32_t)f->pid, signal, e) : terminate_system(q, s, e);
	return r < 0 ? r : show_system(q, s, e);
}

const struct verb verb_kill = {
	.name = "kill",
	.summary = "terminate a system; with a signal, send it to its first process",
	.usage = "<id> [<signal>]",
	.options = kill_options,
	.options_size = sizeof(struct kill_flags),
	.min_args = 1,
	.max_args = 2,
	.run = kill_run,
};
