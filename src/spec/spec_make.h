/*
 * A config.json from a few wishes, on top of the template that `spec` prints:
 * docker's capabilities and seccomp filter, the template's mounts and masked
 * paths. `run --rootfs` writes its flags so, and HCS's documents become this.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec_template.h"

struct arena;
struct err;
struct json;
struct jw;
struct kv;

struct spec_make_mount {
	const char *destination, *type, *source;
	const char *const *options;
	size_t n_options;
};

/* Bytes or operations a second, each for reading and for writing. 0: no limit. */
struct spec_make_throttle {
	uint32_t major, minor;
	uint64_t bytes, operations;
};

struct spec_make {
	struct template_options template;
	const char *root; /* its path */
	bool read_only;
	const char *hostname;

	const struct json *process; /* all of it; NULL: of the members up to cwd */
	bool terminal;
	uint32_t uid, gid;
	const char *const *args;
	size_t n_args;
	const char *const *env; /* "NAME=value", or "NAME" for none, instead of the template's */
	size_t n_env;
	const char *cwd;

	const struct spec_make_mount *mounts; /* after the template's */
	size_t n_mounts;

	bool host_network; /* else a namespace of its own, or that of the path */
	const char *network_path;
	const char *cgroups_path; /* NULL: none */
	/* 0: not limited */
	int64_t memory; /* bytes */
	int64_t cpu_quota; /* microseconds, as the period */
	uint64_t cpu_period, cpu_shares;
	uint64_t cpu_weight; /* cgroup v2's own number, instead of shares */
	int64_t pids;
	struct spec_make_throttle throttle;

	bool unconfined; /* no seccomp filter */
	const struct json *seccomp; /* a profile; NULL: the default one */

	const struct kv *annotations;
	size_t n_annotations;
};

/* Writes the document. Look at the buffer's `failed` as always; < 0 is -ENOMEM. */
int spec_make(struct jw *w, struct arena *a, const struct spec_make *m, struct err *e);

/* The `cpu`, `memory` ... members of a `resources` object, alone: for an update. */
void spec_make_limits(struct jw *w, const struct spec_make *m);

/* What a process gets that was not asked for more or less, as the sets of
 * process.capabilities; false: none at all. */
void spec_make_capabilities(struct jw *w, bool usual);
