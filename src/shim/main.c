/* containerd-shim-berth-v2: reads the command line as containerd writes it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "info.h"
#include "log.h"
#include "mem.h"
#include "options.h"
#include "revision.h"
#include "selfexe.h"
#include "start.h"
#include "str.h"

#define PROGRAM "containerd-shim-berth-v2"

#define FLAG(name, letter, type, member, help) OPTION(name, letter, type, struct command_line, member, NULL, help)

static const struct option_def flags[] = {
	FLAG("namespace", 0, OPT_STRING, namespace, "namespace that owns the shim"),
	FLAG("id", 0, OPT_STRING, id, "id of the task"),
	FLAG("address", 0, OPT_STRING, address, "grpc address back to containerd"),
	FLAG("bundle", 0, OPT_STRING, bundle, "path to the bundle (default: the current directory)"),
	FLAG("publish-binary", 0, OPT_STRING, publish_binary, "accepted: events go to TTRPC_ADDRESS"),
	FLAG("socket", 0, OPT_STRING, socket, NULL /* older ones pass it to the server */),
	FLAG("debug", 0, OPT_BOOL, debug, "enable debug output in logs"),
	FLAG("info", 0, OPT_BOOL, info, "print what the runtime can do, for containerd"),
	FLAG("v", 'v', OPT_BOOL, version, "show the shim version and exit"),
	{ 0 },
};

static void print_version(void)
{
	printf(PROGRAM ":\n  Version:  " BERTH_VERSION "\n  Revision: " BERTH_REVISION "\n");
}

static int usage(FILE *to)
{
	fprintf(to, "usage: " PROGRAM " [flags] start | delete\n"
		    "containerd calls it; see containerd-shim-berth-v2(8)\n\n");
	for (const struct option_def *d = flags; d->name; d++)
		if (d->help)
			fprintf(to, "  -%-16s %s\n", d->name, d->help);
	return 0;
}

static int act(const struct command_line *cl, const char *action, char **argv, struct err *e)
{
	if (str_eq(action, "start")) {
		int r = selfexe_protect(argv, e);

		return r < 0 ? r : shim_start(cl, argv, e);
	}
	if (str_eq(action, "delete"))
		return shim_delete(cl, e);
	return err_set(e, ERR_INVALID, 0, action ? "unknown command '%s'" : "no command: start or delete", action);
}

int main(int argc, char **argv)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct command_line cl = { 0 };
	char **args = argv + !!argc, text[1200];
	struct err e;
	int r = options_parse(&a, flags, &cl, &args, &e);

	if (r == OPTIONS_HELP)
		return usage(stdout);
	log_open(&(struct log_options){ .debug = cl.debug }, NULL);
	if (r >= 0 && cl.version) {
		print_version();
		return 0;
	}
	if (r >= 0)
		r = cl.info ? shim_info(STDIN_FILENO, STDOUT_FILENO, &e) : act(&cl, args[0], argv, &e);
	if (r < 0)
		fprintf(stderr, PROGRAM ": %s\n", err_text(&e, text, sizeof text));
	return r < 0;
}
