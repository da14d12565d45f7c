/*
 * `run --rootfs DIR ID [CMD...]`: a container without a bundle. The flags become
 * the text of a config.json, on top of the template that `spec` prints, and
 * that text is read like any other.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

struct bundle;
struct err;
struct request;

struct quick_flags {
	const char *rootfs, *memory, *cpus, *net, *seccomp, *hostname, *user, *cwd, *cgroup_path;
	int64_t pids;
	bool read_only, tty;
	struct option_list mounts, env;
};

/* `strct` is the options struct that holds a struct quick_flags `m`. */
#define QUICK_FLAGS(strct, m)                                                                    \
	OPTION("rootfs", 0, OPT_STRING, strct, m.rootfs, NULL,                                   \
	       "no bundle: run [command...] on this root file system, from the flags below"),    \
	OPTION("memory", 0, OPT_STRING, strct, m.memory, NULL, "memory limit (\"64m\")"),        \
	OPTION("cpus", 0, OPT_STRING, strct, m.cpus, NULL, "CPUs it may use (\"1.5\")"),         \
	OPTION("pids", 0, OPT_INT, strct, m.pids, NULL, "number of processes it may have"),      \
	OPTION("read-only", 0, OPT_BOOL, strct, m.read_only, NULL,                               \
	       "a read-only root file system"),                                                  \
	OPTION("mount", 0, OPT_LIST, strct, m.mounts, NULL,                                      \
	       "SRC:DST[:options] or type=TYPE,src=SRC,dst=DST[,option...]"),                    \
	OPTION("env", 'e', OPT_LIST, strct, m.env, NULL, "NAME=value, or NAME of our own"),      \
	OPTION("net", 0, OPT_STRING, strct, m.net, "none", "'host', or 'none' (loopback only)"), \
	OPTION("seccomp", 0, OPT_STRING, strct, m.seccomp, "default",                            \
	       "'default', 'unconfined', or a file with a profile"),                             \
	OPTION("hostname", 0, OPT_STRING, strct, m.hostname, NULL, "default: the id"),           \
	OPTION("user", 'u', OPT_STRING, strct, m.user, NULL, "UID[:GID]"),                       \
	OPTION("cwd", 0, OPT_STRING, strct, m.cwd, NULL, "working directory in the container"),  \
	OPTION("tty", 't', OPT_BOOL, strct, m.tty, NULL, "give it a terminal"),                  \
	OPTION("cgroup-path", 0, OPT_STRING, strct, m.cgroup_path, NULL,                         \
	       "its cgroup (default: \"/berth/ID\")")

/* The command is what follows the id in q->args. */
int quick_bundle(struct request *q, const struct quick_flags *f, struct bundle *ret,
		 struct err *e);
