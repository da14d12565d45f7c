/* The life of a system: create, start, shutdown, terminate, pause, resume, rm;
 * and what its end was: wait. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ctl.h"
#include "json.h"
#include "verbs_parts.h"

int open_system(struct request *q, const char *id, HCS_SYSTEM *ret, struct err *e)
{
	HRESULT hr = HcsOpenComputeSystemInNamespace(q->common.ns, id, GENERIC_ALL, ret);

	return FAILED(hr) ? failed_last(q, hr, e) : 0;
}

/* ---- create ------------------------------------------------------------------------ */

struct create_flags {
	struct common common;
	const char *file;
};

static const struct option_def create_options[] = {
	OPTION("file", 'f', OPT_STRING, struct create_flags, file, NULL,
	       "the system's document; '-' is standard input"),
	COMMON_FLAGS(struct create_flags),
	{ 0 },
};

static HRESULT give_streams(HCS_OPERATION op, const int *stdio)
{
	static const char *const uris[] = { "hcs:/Process/StdIn", "hcs:/Process/StdOut", "hcs:/Process/StdErr" };
	HRESULT hr = S_OK;

	for (size_t i = 0; SUCCEEDED(hr) && i < ARRAY_SIZE(uris); i++)
		if (stdio[i] >= 0)
			hr = HcsAddResourceToOperation(op, HcsResourceTypeFile, uris[i], stdio[i]);
	return hr;
}

int create_system(struct request *q, const struct created *c, HCS_SYSTEM *ret, struct err *e)
{
	const HCS_CREATE_OPTIONS_BERTH_1 options = {
		.Version = HcsCreateOptions_Berth1,
		.UserToken = -1,
		.Lifetime = c->keep ? HcsLifetimeKeep : HcsLifetimeHandles,
	};
	OWN_OPERATION op = operation_new(e);
	HRESULT hr;

	if (!op)
		return -ENOMEM;
	hr = give_streams(op, c->stdio);
	if (FAILED(hr))
		return failed_last(q, hr, e);
	hr = HcsCreateComputeSystemInNamespace(q->common.ns, c->id, c->document, op,
					       (const HCS_CREATE_OPTIONS *)&options, ret);
	return finish(q, op, hr, NULL, e);
}

static int create_run(struct request *q, void *options, struct err *e)
{
	const struct create_flags *f = options;
	struct created c = { .id = id_or_new(q, q->args[0]), .keep = true, CREATED_INIT };
	OWN_SYSTEM s = NULL;
	char *text;
	int r;

	if (!f->file)
		return bad_usage(q, e, "needs -f: the system's document");
	if (!c.id)
		return no_memory(e);
	r = read_document(q, f->file, &text, e);
	if (r < 0)
		return r;
	c.document = text;
	r = create_system(q, &c, &s, e);
	if (r == 0 && q->common.json)
		return show_system(q, s, e);
	return r < 0 ? r : cli_put(c.id, strlen(c.id), e) < 0 ? -EIO : cli_put("\n", 1, e);
}

const struct verb verb_create = {
	.name = "create",
	.summary = "make a system from a document; it waits to be started",
	.usage = "-f <document> [<id>]",
	.description = "Prints the id, which is a new one if none is given. The system stays until 'rm'.",
	.options = create_options,
	.options_size = sizeof(struct create_flags),
	.max_args = 1,
	.run = create_run,
};

/* ---- start, pause, resume ---------------------------------------------------------------- */

typedef HRESULT simple_call(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options);

int call_simple(struct request *q, HCS_SYSTEM s, simple_call *call, const char *options, struct err *e)
{
	OWN_OPERATION op = operation_new(e);

	return op ? finish(q, op, call(s, op, options), NULL, e) : -ENOMEM;
}

static int change(struct request *q, simple_call *call, struct err *e)
{
	OWN_SYSTEM s = NULL;
	int r = open_system(q, q->args[0], &s, e);

	if (r == 0)
		r = call_simple(q, s, call, NULL, e);
	return r < 0 ? r : show_system(q, s, e);
}

static int start_run(struct request *q, void *options, struct err *e)
{
	return change(q, HcsStartComputeSystem, e);
}

static int pause_run(struct request *q, void *options, struct err *e)
{
	return change(q, HcsPauseComputeSystem, e);
}

static int resume_run(struct request *q, void *options, struct err *e)
{
	return change(q, HcsResumeComputeSystem, e);
}

#define PLAIN_VERB(word, what)                                                 \
	const struct verb verb_##word = {                                      \
		.name = #word,                                                 \
		.summary = what,                                               \
		.usage = "<id>",                                               \
		.options = plain_options,                                      \
		.options_size = sizeof(struct plain_flags),                    \
		.min_args = 1,                                                 \
		.max_args = 1,                                                 \
		.run = word##_run,                                             \
	}

PLAIN_VERB(start, "start a created system");
PLAIN_VERB(pause, "freeze every process of a system");
PLAIN_VERB(resume, "thaw what 'pause' has frozen");

/* ---- terminate, shutdown --------------------------------------------------------------------- */

/* Nothing to do is what was wanted. */
int terminate_system(struct request *q, HCS_SYSTEM s, struct err *e)
{
	OWN_OPERATION op = operation_new(e);
	OWN_RESULT doc = NULL;
	HRESULT hr;
	int r;

	if (!op)
		return -ENOMEM;
	hr = HcsTerminateComputeSystem(s, op, NULL);
	r = settle(q, op, &hr, &doc, e);
	if (r == 0 && hr == HCS_E_SYSTEM_ALREADY_STOPPED) /* or somebody else is at it */
		return wait_exit(q, s, FOREVER, "waiting for its end", NULL, e);
	if (r == 0 && FAILED(hr)) {
		char *text = doc;

		doc = NULL;
		return failed(q, hr, text, e);
	}
	return r;
}

static int terminate_run(struct request *q, void *options, struct err *e)
{
	OWN_SYSTEM s = NULL;
	int r = open_system(q, q->args[0], &s, e);

	if (r == 0)
		r = terminate_system(q, s, e);
	return r < 0 ? r : show_system(q, s, e);
}

PLAIN_VERB(terminate, "kill every process of a system, and wait for its end");

struct shutdown_flags {
	struct common common;
	const char *timeout, *signal;
	bool no_wait;
};

static const struct option_def shutdown_options[] = {
	OPTION("timeout", 't', OPT_STRING, struct shutdown_flags, timeout, NULL,
	       "kill what has not ended after this time: seconds, or \"1m30s\""),
	OPTION("signal", 's', OPT_STRING, struct shutdown_flags, signal, NULL,
	       "another than the system's stop signal"),
	OPTION("no-wait", 0, OPT_BOOL, struct shutdown_flags, no_wait, NULL,
	       "return when the signal is sent"),
	COMMON_FLAGS(struct shutdown_flags),
	{ 0 },
};

int parse_timeout(struct request *q, const char *s, int64_t *ret, struct err *e)
{
	uint32_t seconds;
	int64_t ns;

	*ret = FOREVER;
	if (!s)
		return 0;
	if (parse_u32(s, &seconds) == 0)
		*ret = (int64_t)seconds * 1000;
	else if (duration_parse(s, &ns) == 0 && ns >= 0)
		*ret = ns / 1000000;
	else
		return bad_usage(q, e, "'%s' is no time: seconds, or such as 1m30s", s);
	return 0;
}

static const char *shutdown_document(struct request *q, const char *signal)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	if (!signal)
		return NULL;
	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kstr(&w, "Signal", signal);
	jw_end(&w);
	return b.failed ? NULL : arena_strdup(q->arena, b.s);
}

/* The signal; 1: it had been stopped, or asked to, before. */
static int ask_to_stop(struct request *q, HCS_SYSTEM s, const char *document, struct err *e)
{
	OWN_OPERATION op = operation_new(e);
	char *doc = NULL;
	HRESULT hr;
	int r;

	if (!op)
		return -ENOMEM;
	hr = HcsShutDownComputeSystem(s, op, document);
	r = settle(q, op, &hr, &doc, e);
	if (r == 0 && FAILED(hr) && hr != HCS_E_SYSTEM_ALREADY_STOPPED)
		return failed(q, hr, doc, e);
	HcsFree(doc);
	return r < 0 ? r : hr == HCS_E_SYSTEM_ALREADY_STOPPED;
}

static int shutdown_run(struct request *q, void *options, struct err *e)
{
	const struct shutdown_flags *f = options;
	const char *document = shutdown_document(q, f->signal);
	OWN_SYSTEM s = NULL;
	int64_t limit;
	int r;

	if (f->signal && !document)
		return no_memory(e);
	r = parse_timeout(q, f->timeout, &limit, e);
	if (r < 0)
		return r;
	r = open_system(q, q->args[0], &s, e);
	if (r < 0)
		return r;
	r = ask_to_stop(q, s, document, e);
	if (r < 0 || f->no_wait)
		return r < 0 ? r : show_system(q, s, e);
	if (limit != FOREVER)
		limit += clock_ms();
	r = wait_exit(q, s, limit, "waiting for its processes to end", NULL, e);
	if (r < 0 && e->kind == ERR_TIMEOUT)
		r = terminate_system(q, s, e);
	return r < 0 ? r : show_system(q, s, e);
}

const struct verb verb_shutdown = {
	.name = "shutdown",
	.summary = "send the stop signal to every process, and wait for the end",
	.usage = "[-t <time>] <id>",
	.description = "Without a time it waits as long as it takes, and says what for.",
	.options = shutdown_options,
	.options_size = sizeof(struct shutdown_flags),
	.min_args = 1,
	.max_args = 1,
	.run = shutdown_run,
};

/* ---- rm ------------------------------------------------------------------------------------------ */

struct rm_flags {
	struct common common;
	bool force;
};

static const struct option_def rm_options[] = {
	OPTION("force", 'f', OPT_BOOL, struct rm_flags, force, NULL,
	       "kill one that runs; one that is not there is no error"),
	COMMON_FLAGS(struct rm_flags),
	{ 0 },
};

int delete_system(struct request *q, HCS_SYSTEM s, struct err *e)
{
	return call_simple(q, s, HcsDeleteComputeSystem, NULL, e);
}

static int rm_run(struct request *q, void *options, struct err *e)
{
	const struct rm_flags *f = options;
	OWN_SB struct sb out = SB_INIT;
	OWN_SYSTEM s = NULL;
	struct jw w;
	int r = open_system(q, q->args[0], &s, e);
	bool absent = r < 0 && q->hr == HCS_E_SYSTEM_NOT_FOUND && f->force;

	if (r == 0 && f->force)
		r = terminate_system(q, s, e);
	if (r == 0)
		r = delete_system(q, s, e);
	if (r < 0 && !absent)
		return r;
	if (!q->common.json)
		return 0;
	jw_init(&w, &out, NULL);
	jw_begin(&w, '{');
	jw_kstr(&w, "Id", q->args[0]);
	jw_kbool(&w, "Deleted", !absent);
	jw_end(&w);
	sb_putc(&out, '\n');
	return cli_put_sb(&out, e);
}

const struct verb verb_rm = {
	.name = "rm",
	.summary = "remove a system that has stopped, or was never started",
	.usage = "[-f] <id>",
	.options = rm_options,
	.options_size = sizeof(struct rm_flags),
	.min_args = 1,
	.max_args = 1,
	.run = rm_run,
};
