/* Verbs and their flags as the tables have them: found, counted, printed. */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "str.h"

int cli_put(const char *s, size_t len, struct err *e)
{
	int r = fd_write_all(STDOUT_FILENO, s, len);

	return r < 0 ? err_sys(e, r, "write to stdout") : 0;
}

int cli_put_sb(const struct sb *s, struct err *e)
{
	if (s->failed)
		return err_sys(e, -ENOMEM, "print");
	return s->len ? cli_put(s->s, s->len, e) : 0;
}

const struct verb *cli_find(const struct program *p, const char *name)
{
	for (size_t i = 0; p->verbs[i]; i++)
		if (!strcmp(p->verbs[i]->name, name))
			return p->verbs[i];
	return NULL;
}

int cli_check_args(const struct program *p, const struct verb *v, size_t n, struct err *e)
{
	size_t min = (size_t)v->min_args;

	if (v->max_args == v->min_args && n != min)
		return err_set(e, ERR_INVALID, 0, "%s: \"%s\" requires exactly %d argument(s)",
			       p->name, v->name, v->min_args);
	if (n < min)
		return err_set(e, ERR_INVALID, 0, "%s: \"%s\" requires a minimum of %d argument(s)",
			       p->name, v->name, v->min_args);
	if (v->max_args >= 0 && n > (size_t)v->max_args)
		return err_set(e, ERR_INVALID, 0, "%s: \"%s\" requires a maximum of %d argument(s)",
			       p->name, v->name, v->max_args);
	return 0;
}

/* ---- help, in the layout that users of runc know ---------------------------- */

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

int cli_help_verb(const struct program *p, const struct verb *v, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;

	sb_printf(&out, "NAME:\n   %s %s - %s\n\nUSAGE:\n   %s %s%s %s\n",
		  p->name, v->name, v->summary, p->name, v->name,
		  v->options ? " [command options]" : "", v->usage ? v->usage : "");
	if (v->description)
		sb_printf(&out, "\nDESCRIPTION:\n   %s\n", v->description);
	if (v->options) {
		sb_puts(&out, "\nOPTIONS:\n");
		print_options(&out, v->options);
	}
	return cli_put_sb(&out, e);
}

int cli_help(const struct program *p, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;

	sb_printf(&out,
		  "NAME:\n   %s - %s\n\n%s\n"
		  "USAGE:\n   %s [global options] command [command options] [arguments...]\n\n"
		  "VERSION:\n   " BERTH_VERSION "\n\nCOMMANDS:\n",
		  p->name, p->summary, p->about, p->name);
	for (size_t i = 0; p->verbs[i]; i++)
		if (!p->verbs[i]->hidden)
			sb_printf(&out, "   %-10s  %s\n", p->verbs[i]->name, p->verbs[i]->summary);
	sb_printf(&out, "   %-10s  %s\n", "help, h", "show this list, or the help of one command");
	sb_puts(&out, "\nGLOBAL OPTIONS:\n");
	print_options(&out, p->flags);
	sb_puts(&out, "   --help, -h          show help\n");
	return cli_put_sb(&out, e);
}

/* ---- completion --------------------------------------------------------------- */

static void print_flags(struct sb *out, const struct option_def *d)
{
	for (; d && d->name; d++)
		if (d->help)
			sb_printf(out, "--%s\n", d->name);
}

int cli_words(const struct program *p, const char *verb, struct err *e)
{
	const struct verb *v = verb ? cli_find(p, verb) : NULL;
	OWN_SB struct sb out = SB_INIT;

	if (verb && !v)
		return err_set(e, ERR_INVALID, 0, "No help topic for '%s'", verb);
	if (v) {
		print_flags(&out, v->options);
		return cli_put_sb(&out, e);
	}
	for (size_t i = 0; p->verbs[i]; i++)
		if (!p->verbs[i]->hidden)
			sb_printf(&out, "%s\n", p->verbs[i]->name);
	sb_puts(&out, "help\n");
	print_flags(&out, p->flags);
	sb_puts(&out, "--help\n");
	return cli_put_sb(&out, e);
}
