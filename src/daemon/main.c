/* berthd, a daemon with containerd's API: reads the command line, and serves; or
 * says what its configuration is. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "daemon_run.h"
#include "daemon_settings.h"
#include "err.h"
#include "fd.h"
#include "hosting.h"
#include "mem.h"
#include "revision.h"
#include "str.h"

struct globals {
	struct daemon_flags flags;
	bool version;
};

struct request {
	struct arena *arena;
	const struct daemon_flags *flags;
	char **args;
};

static const struct option_def global_flags[] = {
	OPTION("config", 'c', OPT_STRING, struct globals, flags.config, NULL,
	       "configuration file (default: /etc/berth/berthd.json, if it is there)"),
	OPTION("address", 'a', OPT_STRING, struct globals, flags.address, NULL, "socket for clients"),
	OPTION("root", 0, OPT_STRING, struct globals, flags.root, NULL, "directory of what is kept over a reboot"),
	OPTION("state", 0, OPT_STRING, struct globals, flags.state, NULL, "directory of what runs"),
	OPTION("log-level", 'l', OPT_STRING, struct globals, flags.log_level, NULL, "error, warn, info or debug"),
	OPTION("log-format", 0, OPT_STRING, struct globals, flags.log_format, NULL, "text, json or journal"),
	OPTION("version", 'v', OPT_BOOL, struct globals, version, NULL, "print the version"),
	{ 0 },
};

/* ---- verbs ------------------------------------------------------------------------ */

static int config_run(struct request *q, void *options, struct err *e)
{
	bool defaults = !strcmp(q->args[0], "default");
	OWN_SB struct sb out = SB_INIT;
	struct daemon_settings s;
	int r;

	if (!defaults && strcmp(q->args[0], "check") != 0)
		return err_set(e, ERR_INVALID, 0, "config: '%s' is neither 'default' nor 'check'", q->args[0]);
	r = defaults ? daemon_settings_default(q->arena, &s, e) : daemon_settings_read(q->arena, q->flags, &s, e);
	if (r < 0)
		return r;
	daemon_settings_print(&s, &out);
	return cli_put_sb(&out, e);
}

static const struct verb verb_config = {
	.name = "config",
	.summary = "print a configuration",
	.usage = "default|check",
	.description = "default: every member with its default; check: what holds with these flags, or what is wrong",
	.min_args = 1,
	.max_args = 1,
	.run = config_run,
};

static const struct program program;

static int completion_run(struct request *q, void *options, struct err *e)
{
	return cli_words(&program, q->args[0], e);
}

static const struct verb verb_completion = {
	.name = "completion",
	.summary = "print verbs and flags, one a line",
	.usage = "[verb]",
	.max_args = 1,
	.hidden = true,
	.run = completion_run,
};

static const struct verb *const verbs[] = { &verb_config, &verb_completion, NULL };

static const struct program program = {
	.name = "berthd",
	.summary = "container daemon with containerd's API",
	.about = "Without a command it serves, until a signal ends it; containers go on.\n",
	.flags = global_flags,
	.verbs = verbs,
};

/* ---- the command line -------------------------------------------------------------- */

static int report(const struct err *e)
{
	char text[sizeof e->msg + 256];

	err_text(e, text, sizeof text);
	fprintf(stderr, "%s%s\n", str_starts(text, "berthd: ") ? "" : "berthd: ", text);
	return 1;
}

static int run_verb(struct request *q, char **args, struct err *e)
{
	const struct verb *v = cli_find(&program, *args);
	size_t n = 0;
	int r;

	if (!v)
		return err_set(e, ERR_INVALID, 0, "there is no command '%s'", *args);
	q->args = args + 1;
	while (q->args[n])
		n++;
	if (n && (!strcmp(q->args[0], "--help") || !strcmp(q->args[0], "-h")))
		return cli_help_verb(&program, v, e);
	r = cli_check_args(&program, v, n, e);
	return r < 0 ? r : v->run(q, NULL, e);
}

static int serve(struct request *q, struct err *e)
{
	struct daemon_settings s;
	int r = daemon_settings_read(q->arena, q->flags, &s, e);

	return r < 0 ? r : daemon_run(&s, q->flags, e);
}

int main(int argc, char **argv)
{
	OWN_ARENA struct arena arena = ARENA_INIT;
	struct globals g = { 0 };
	struct request q = { .arena = &arena, .flags = &g.flags };
	char **args = argv + (argc > 0);
	struct err e = { 0 };
	int r;

	shim_host_help(argv);
	r = options_parse(&arena, global_flags, &g, &args, &e);

	if (r < 0)
		return report(&e);
	if (g.version) {
		static const char text[] = "berthd version " BERTH_VERSION "\nrevision: " BERTH_REVISION "\n";

		return cli_put(text, sizeof text - 1, NULL) < 0;
	}
	if (r == OPTIONS_HELP || (*args && !strcmp(*args, "help")))
		r = cli_help(&program, &e);
	else
		r = *args ? run_verb(&q, args, &e) : serve(&q, &e);
	return r < 0 ? report(&e) : 0;
}
