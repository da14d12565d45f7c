/* completion: verbs and flags as the tables know them, one a line, for the
 * shells' completion scripts and for tools that check documents against them.
 *
 *	berth completion	every verb, and the global flags
 *	berth completion VERB	the flags of one
 */
#include <errno.h>

#include "err.h"
#include "str.h"
#include "verb.h"

static void print_flags(struct sb *out, const struct option_def *d)
{
	for (; d && d->name; d++)
		if (d->help)
			sb_printf(out, "--%s\n", d->name);
}

static int completion_run(struct request *q, void *options, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;

	if (q->n_args) {
		const struct verb *v = verb_find(q->args[0]);

		if (!v)
			return err_set(e, ERR_INVALID, 0, "No help topic for '%s'", q->args[0]);
		print_flags(&out, v->options);
	} else {
		for (size_t i = 0; verbs[i]; i++)
			if (!verbs[i]->hidden)
				sb_printf(&out, "%s\n", verbs[i]->name);
		sb_puts(&out, "help\n");
		print_flags(&out, global_flags);
		sb_puts(&out, "--help\n");
	}
	if (out.failed)
		return err_sys(e, -ENOMEM, "print");
	return put_text(out.len ? out.s : "", out.len, e);
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
