/* Help pages, in the layout that users of runc know. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "str.h"
#include "verb.h"

int put_text(const char *s, size_t len, struct err *e)
{
	int r = fd_write_all(STDOUT_FILENO, s, len);

	return r < 0 ? err_sys(e, r, "write to stdout") : 0;
}

static const char *placeholder(const struct option_def *d)
{
	return d->type == OPT_BOOL || d->type == OPT_SWITCH ? "" : " value";
}

/* "--bundle value, -b value" */
static int option_words(const struct option_def *d, char *buf, size_t cap)
{
	if (d->letter)
		return snprintf(buf, cap, "--%s%s, -%c%s", d->name, placeholder(d),
				d->letter, placeholder(d));
	return snprintf(buf, cap, "--%s%s", d->name, placeholder(d));
}

static void print_options(struct sb *out, const struct option_def *defs)
{
	char words[128];
	int width = 0;

	for (const struct option_def *d = defs; d->name; d++) {
		int n = d->help ? option_words(d, words, sizeof words) : 0;

		if (n > width)
			width = n;
	}
	for (const struct option_def *d = defs; d->name; d++) {
		if (!d->help)
			continue;
		option_words(d, words, sizeof words);
		sb_printf(out, "   %-*s  %s", width, words, d->help);
		if (d->otherwise)
			sb_printf(out, d->type == OPT_STRING ? " (default: \"%s\")" : " (default: %s)",
				  d->otherwise);
		sb_putc(out, '\n');
	}
}

void help_verb(const struct verb *v)
{
	OWN_SB struct sb out = SB_INIT;

	sb_printf(&out, "NAME:\n   " PROGRAM " %s - %s\n\nUSAGE:\n   " PROGRAM " %s%s %s\n",
		  v->name, v->summary, v->name, v->options ? " [command options]" : "",
		  v->usage ? v->usage : "");
	if (v->description)
		sb_printf(&out, "\nDESCRIPTION:\n   %s\n", v->description);
	if (v->options) {
		sb_puts(&out, "\nOPTIONS:\n");
		print_options(&out, v->options);
	}
	if (!out.failed)
		put_text(out.s, out.len, NULL);
}

void help_program(void)
{
	OWN_SB struct sb out = SB_INIT;

	sb_puts(&out,
		"NAME:\n   " PROGRAM " - OCI container runtime\n\n"
		"Runs containers that are described by a bundle: a directory with a config.json\n"
		"as the Open Container Initiative specifies it, and a root file system.\n\n"
		"    # " PROGRAM " run [ -b bundle ] <container-id>\n"
		"    # " PROGRAM " run --rootfs <directory> <container-id> [command...]\n\n"
		"USAGE:\n   " PROGRAM " [global options] command [command options] [arguments...]\n\n"
		"VERSION:\n   " BERTH_VERSION "\n\nCOMMANDS:\n");
	for (size_t i = 0; verbs[i]; i++)
		if (!verbs[i]->hidden)
			sb_printf(&out, "   %-10s  %s\n", verbs[i]->name, verbs[i]->summary);
	sb_printf(&out, "   %-10s  %s\n", "help, h", "show this list, or the help of one command");
	sb_puts(&out, "\nGLOBAL OPTIONS:\n");
	print_options(&out, global_flags);
	sb_puts(&out, "   --help, -h          show help\n");
	if (!out.failed)
		put_text(out.s, out.len, NULL);
}
