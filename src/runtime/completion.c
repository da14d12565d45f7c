/* completion: verbs and flags as the tables know them, one a line, for the
 * shells' completion scripts and for tools that check documents against them.
 *
 *	berth completion	every verb, and the global flags
 *	berth completion VERB	the flags of one
 */
#include "verb.h"

static int completion_run(struct request *q, void *options, struct err *e)
{
	return cli_words(&program, q->args[0], e);
}

const struct verb verb_completion = {
	.name = "completion",
	.summary = "print verbs and flags, one a line",
	.usage = "[verb]",
	.min_args = 0,
	.max_args = 1,
	.hidden = true,
	.run = completion_run,
};
