/* The array of verbs, and what all of them have. */
#include "ctl.h"

static const struct verb *const verbs[] = {
#define X(name) &verb_##name,
	VERBS(X)
#undef X
	NULL
};

const struct option_def plain_options[] = {
	COMMON_FLAGS(struct plain_flags),
	{ 0 },
};

extern const struct option_def global_flags[];

const struct program program = {
	.name = PROGRAM,
	.summary = "compute systems: containers as the Host Compute System API has them",
	.about = "Makes, changes and watches systems that are described by a document, or by flags.\n"
		 "There is no service to be started, and none that has to run.\n\n"
		 "    # " PROGRAM " run --rootfs <directory> -t -- <command>\n"
		 "    # " PROGRAM " create -f <document> <id> && " PROGRAM " start <id>\n"
		 "    # " PROGRAM " exec -it <id> sh\n",
	.flags = global_flags,
	.verbs = verbs,
};

static int completion_run(struct request *q, void *options, struct err *e)
{
	return cli_words(&program, q->args[0], e);
}

const struct verb verb_completion = {
	.name = "completion",
	.summary = "print verbs and flags, one a line",
	.usage = "[verb]",
	.max_args = 1,
	.hidden = true,
	.run = completion_run,
};
