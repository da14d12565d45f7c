/* The array of verbs, and what all of them need. */
#include "err.h"
#include "str.h"
#include "verb.h"

static const struct verb *const verbs[] = {
#define X(name) &verb_##name,
	VERBS(X)
#undef X
	NULL
};

#define GLOBAL(name, letter, type, member, otherwise, help)                    \
	OPTION(name, letter, type, struct global_options, member, otherwise, help)

static const struct option_def flags[] = {
	GLOBAL("debug", 0, OPT_BOOL, debug, NULL, "enable debug logging"),
	GLOBAL("log", 0, OPT_STRING, log, NULL,
	       "append log lines to this file instead of writing them to stderr"),
	GLOBAL("log-format", 0, OPT_STRING, log_format, "text", "'text' or 'json'"),
	GLOBAL("root", 0, OPT_STRING, root, NULL,
	       "directory for the state of containers (default: \"" DEFAULT_ROOT
	       "\", or $XDG_RUNTIME_DIR/berth)"),
	GLOBAL("criu", 0, OPT_STRING, criu, NULL, "accepted for compatibility, not used"),
	GLOBAL("systemd-cgroup", 0, OPT_BOOL, systemd_cgroup, NULL,
	       "make cgroups through systemd; cgroupsPath is then \"slice:prefix:name\""),
	GLOBAL("rootless", 0, OPT_STRING, rootless, "auto",
	       "ignore cgroup permission errors ('true', 'false', or 'auto')"),
	GLOBAL("cgroup-manager", 0, OPT_STRING, cgroup_manager, NULL,
	       NULL /* crun's name for --systemd-cgroup */),
	GLOBAL("version", 'v', OPT_BOOL, version, NULL, "print the version"),
	{ 0 },
};

const struct program program = {
	.name = PROGRAM,
	.summary = "OCI container runtime",
	.about = "Runs containers that are described by a bundle: a directory with a config.json\n"
		 "as the Open Container Initiative specifies it, and a root file system.\n\n"
		 "    # " PROGRAM " run [ -b bundle ] <container-id>\n"
		 "    # " PROGRAM " run --rootfs <directory> <container-id> [command...]\n",
	.flags = flags,
	.verbs = verbs,
};

int request_open(struct request *q, bool lock, struct container *ret, struct err *e)
{
	if (str_empty(q->args[0]))
		return err_set(e, ERR_INVALID, 0, "container id cannot be empty");
	return container_open(&q->core, q->args[0], lock, ret, e);
}
