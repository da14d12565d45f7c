/* berthctl, a tool on libberth: reads the command line, calls a verb, says what
 * went wrong, and ends with its exit status. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "fd.h"
#include "revision.h"
#include "sys.h"

struct globals {
	struct common common; /* first */
	bool debug, version;
};

const struct option_def global_flags[] = {
	COMMON_FLAGS(struct globals),
	OPTION("debug", 0, OPT_BOOL, struct globals, debug, NULL,
	       "the library's log lines, on standard error (BERTH_LOG=debug)"),
	OPTION("version", 'v', OPT_BOOL, struct globals, version, NULL, "print the version"),
	{ 0 },
};

/* 0, 1 and 2 exist: nothing that is opened later may take their place. */
static void open_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (sys_fcntl(fd, F_GETFD, 0) == -EBADF)
			sys_openat(AT_FDCWD, "/dev/null", O_RDWR, 0);
}

/* The one place that says what went wrong. */
static int report(const struct request *q, const struct err *e)
{
	OWN_SB struct sb text = SB_INIT, doc = SB_INIT;

	fail_text(q, e, &text);
	if (q->usage)
		sb_printf(&text, "'" PROGRAM "%s%s --help' tells how it is used\n", q->verb ? " " : "",
			  q->verb ? q->verb->name : "");
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.s[i] < ' ' && text.s[i] != '\n')
			text.s[i] = '?';
	fd_write_all(STDERR_FILENO, text.len ? text.s : PROGRAM ": out of memory\n", text.len);
	if (q->common.json && !q->printed) {
		fail_json(q, e, &doc);
		cli_put_sb(&doc, NULL);
	}
	return q->usage ? EXIT_USAGE : 1;
}

/* Flags may stand between the arguments, up to "--"; where a command follows the
 * first argument, up to that one. */
static int parse_args(struct request *q, void *options, char **args, struct err *e)
{
	static const struct option_def none[] = { { 0 } };
	const struct option_def *defs = q->verb->options ? q->verb->options : none;
	size_t n = 0;
	int r;

	while (args[n])
		n++;
	q->args = arena_calloc(q->arena, n + 1, sizeof *q->args);
	if (!q->args)
		return no_memory(e);
	do {
		char **from = args;

		r = options_parse(q->arena, defs, options, &args, e);
		if (r)
			return r;
		q->dashes = args != from && !strcmp(args[-1], "--");
		if (!q->dashes && *args)
			q->args[q->n_args++] = *args++;
	} while (*args && !q->dashes && !q->verb->command);
	if (q->verb->command && q->n_args && !q->dashes && *args && !strcmp(*args, "--")) {
		q->dashes = true;
		args++;
	}
	q->n_before = q->n_args;
	while (*args)
		q->args[q->n_args++] = *args++;
	if (!q->dashes)
		q->n_before = q->n_args;
	return 0;
}

/* Of one verb, or (NULL) of all. */
static int help(struct request *q, const struct verb *v)
{
	struct err e;
	int r = v ? cli_help_verb(&program, v, &e) : cli_help(&program, &e);

	return r < 0 ? report(q, &e) : 0;
}

static int run_verb(struct request *q, char **args)
{
	const struct verb *v = q->verb;
	struct err e = { 0 };
	struct common *options = arena_alloc(q->arena, v->options_size + sizeof *options);
	int r;

	if (!options)
		return report(q, (no_memory(&e), &e));
	*options = q->common;
	r = parse_args(q, options, args, &e);
	if (r == OPTIONS_HELP)
		return help(q, v);
	if (v->options)
		q->common = *options;
	if (r == 0) {
		r = cli_check_args(&program, v, q->n_args, &e);
		if (r < 0)
			bad_usage(q, &e, "%s", strstr(e.msg, "requires") ? strstr(e.msg, "requires") : e.msg);
	} else {
		bad_usage(q, &e, "%s", strdupa(e.msg));
	}
	if (r == 0)
		r = v->run(q, options, &e);
	return r < 0 ? report(q, &e) : r;
}

static int wrong_call(struct request *q, const char *words)
{
	struct err e;

	bad_usage(q, &e, "%s", words);
	return report(q, &e);
}

static int run(struct request *q, char **args)
{
	bool asked = !*args || !strcmp(*args, "help") || !strcmp(*args, "h");

	if (asked && (!*args || !args[1]))
		return help(q, NULL);
	q->verb = cli_find(&program, args[asked]);
	if (!q->verb)
		return wrong_call(q, arena_printf(q->arena, "there is no command '%s'", args[asked]));
	if (asked)
		return help(q, q->verb);
	return run_verb(q, args + 1);
}

int main(int argc, char **argv)
{
	OWN_ARENA struct arena arena = ARENA_INIT;
	struct request q = { .arena = &arena };
	struct globals g = { 0 };
	char **args = argv + (argc > 0);
	struct err e = { 0 };
	int r;

	open_standard_fds();
	r = options_parse(&arena, program.flags, &g, &args, &e);
	q.common = g.common;
	if (r < 0)
		return wrong_call(&q, strdupa(e.msg));
	if (g.version) {
		static const char text[] = PROGRAM " version " BERTH_VERSION "\nrevision: " BERTH_REVISION "\n";

		return cli_put(text, sizeof text - 1, NULL) < 0;
	}
	if (r == OPTIONS_HELP)
		return help(&q, NULL);
	if (g.debug)
		setenv("BERTH_LOG", "debug", 0);
	return run(&q, args);
}
