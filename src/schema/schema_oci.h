/*
 * From HCS's documents to OCI's: a system becomes a config.json and the mounts of
 * its root file system, a process the `process` object of an exec, a change the
 * `resources` object of an update. Pure: what only the host knows is asked by
 * schema_needs() and given by the caller.
 *
 *	struct schema_needs n;
 *	struct schema_oci_input in = { .id = id, .cgroups_path = "/berth/default/c1", ... };
 *	schema_needs(&a, system, &n, e);
 *	...fill `in` with what n asks for...
 *	r = schema_oci_system(&a, system, &in, &out, e);
 *
 * A system without a command of its own starts with berth's built-in init, which
 * the annotation "io.berth.init": "true" asks for. It is a container as `berth run
 * --rootfs` makes one: same mounts, devices, capabilities and seccomp filter.
 * Whatever comes out, spec_parse() takes.
 */
#pragma once

#include "schema.h"
#include "schema_requests.h"

#define SCHEMA_INIT_ANNOTATION "io.berth.init"

/* ---- a system ----------------------------------------------------------- */

/* What the caller has to find out first. NULL and false: nothing. */
struct schema_needs {
	/* the path of the network namespace of the system with this id:
	 * schema_oci_input.network_path */
	const char *network_of;
	/* the device of the file system that this path is on, for storage limits:
	 * .has_device, .major, .minor. Limits are kept by whole disks: of a partition
	 * it is the disk. */
	const char *device_of;
	/* the text of this file (a bundle's config.json): .bundle_config, .bundle_config_len */
	const char *bundle_config;
	bool processors; /* how many the host has: .processors */
	/* the ids of this name (schema_find_user()), by /etc/passwd and /etc/group of the
	 * first of these directories that has the former: .user */
	const char *user_name;
	const char **roots;
	size_t n_roots;
};
/* Returns 0 or -ENOMEM. */
int schema_needs(struct arena *a, const struct schema_system *s, struct schema_needs *ret,
		 struct err *e);

struct schema_user;

struct schema_oci_input {
	const char *id; /* host name where the document has none */
	const char *cgroups_path; /* linux.cgroupsPath; a caller's OCI document may have its own */
	bool cgroup_v2; /* the host's: weights are written as it counts them */
	const struct kv *annotations; /* added */
	size_t n_annotations;
	/* what schema_needs() asked for */
	const char *network_path;
	bool has_device;
	uint32_t major, minor;
	const char *bundle_config;
	size_t bundle_config_len;
	uint32_t processors;
	const struct schema_user *user;
};

/* A mount of the root file system, for the shim's Create request. */
struct schema_mount {
	const char *type, *source;
	const char **options; /* NULL-terminated */
	size_t n_options;
};

struct schema_oci_output {
	char *text; /* config.json */
	size_t len;
	/* mounted one over the other on <bundle>/rootfs, which is root.path then.
	 * None: root.path is an absolute path of the caller's. */
	struct schema_mount *rootfs;
	size_t n_rootfs;
	/* to be made before that, owned by root, 0755 (upper) and 0700 (work), unless
	 * they are there; absolute */
	const char **directories;
	size_t n_directories;
	bool own_command; /* the document's; else the built-in init */
	const struct spec *spec; /* in OCI's form: what the document has, or its bundle; else NULL */
	bool terminal; /* its first process wants one */
	const char *cgroups_path; /* in effect; NULL: none was given */
};

int schema_oci_system(struct arena *a, const struct schema_system *s,
		      const struct schema_oci_input *in, struct schema_oci_output *ret,
		      struct err *e);

/* ---- processes ---------------------------------------------------------- */

struct schema_user {
	uint32_t uid, gid;
	uint32_t *groups; /* supplementary */
	size_t n_groups;
};

/* Looks up a name: `passwd` and `group` are the texts of the container's files
 * (group may be NULL: no supplementary groups). ERR_NOT_FOUND. */
int schema_find_user(struct arena *a, const char *name, const char *passwd, const char *group,
		     struct schema_user *ret, struct err *e);

struct schema_text {
	char *text;
	size_t len;
};

/* The `process` object for an exec. `user`: what schema_find_user() gave, where
 * p->user_name is not NULL; else NULL. A process without a command
 * (SCHEMA_COMMAND_INIT) is the container's first: an error here. */
int schema_oci_process(struct arena *a, const struct schema_process *p,
		       const struct schema_user *user, struct schema_text *ret, struct err *e);

/* ---- changes ------------------------------------------------------------ */

/* The `resources` object for an update, of memory or processor. `in`: processors
 * and cgroup_v2. */
int schema_oci_resources(struct arena *a, const struct schema_modify *m,
			 const struct schema_oci_input *in, struct schema_text *ret,
			 struct err *e);

/* A directory or pipe that is added to a running system. */
struct schema_bind {
	const char *source, *destination;
	bool read_only; /* and all that is mounted below */
	bool is_directory; /* else a socket or FIFO */
};
/* `destination` alone tells what to remove. */
int schema_bind_of(struct arena *a, const struct schema_modify *m, struct schema_bind *ret,
		   struct err *e);
