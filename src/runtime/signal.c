/* kill, pause, resume. */
#include <errno.h>
#include <signal.h>

#include "err.h"
#include "names.h"
#include "verb.h"

struct kill_flags {
	bool all;
};

static const struct option_def kill_options[] = {
	OPTION("all", 'a', OPT_BOOL, struct kill_flags, all, NULL,
	       "send the signal to all processes inside the container"),
	{ 0 },
};

static int kill_run(struct request *q, void *options, struct err *e)
{
	const struct kill_flags *f = options;
	struct container ct;
	int sig = SIGTERM, r;

	r = request_open(q, false, &ct, e);
	if (r < 0)
		return r;
	if (q->n_args > 1)
		sig = signal_parse(q->args[1]);
	if (sig < 0)
		r = err_set(e, ERR_INVALID, 0, "unknown signal \"%s\"", q->args[1]);
	else
		r = container_kill(&ct, sig, f->all, e);
	container_close(&ct);
	return r < 0 ? r : 0;
}

const struct verb verb_kill = {
	.name = "kill",
	.summary = "sends a signal (default: SIGTERM) to the container's first process",
	.usage = "<container-id> [signal]\n\n"
		 "Where \"<container-id>\" is the name for the instance of the container and\n"
		 "\"[signal]\" is a name or a number: KILL, SIGKILL, 9, RTMIN+3.",
	.options = kill_options,
	.options_size = sizeof(struct kill_flags),
	.min_args = 1,
	.max_args = 2,
	.run = kill_run,
};

/* ---- pause, resume -------------------------------------------------------- */

static int change(struct request *q, int (*what)(struct container *ct, struct err *e),
		  struct err *e)
{
	struct container ct;
	int r;

	r = request_open(q, true, &ct, e);
	if (r < 0)
		return r;
	r = what(&ct, e);
	container_close(&ct);
	return r < 0 ? r : 0;
}

static int pause_run(struct request *q, void *options, struct err *e)
{
	return change(q, container_pause, e);
}

static int resume_run(struct request *q, void *options, struct err *e)
{
	return change(q, container_resume, e);
}

const struct verb verb_pause = {
	.name = "pause",
	.summary = "suspends all processes inside the container",
	.usage = "<container-id>",
	.description = "Suspends all processes in the container, until \"" PROGRAM " resume\".",
	.min_args = 1,
	.max_args = 1,
	.run = pause_run,
};

const struct verb verb_resume = {
	.name = "resume",
	.summary = "resumes all processes that have been previously paused",
	.usage = "<container-id>",
	.description = "Resumes all processes in the container.",
	.min_args = 1,
	.max_args = 1,
	.run = resume_run,
};
