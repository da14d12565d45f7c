/*
 * What an OCI runtime does for the shim, each as the work of a helper (see
 * helper.h): by the built-in runtime (core), or by an external one that is
 * executed (runc, crun). A task keeps the one that created it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "types.pb-c.h"

struct core;
struct err;
struct helper_result;
struct live_mount;
struct runtime;
struct spec_mount;

/* What is asked for: filled for the operation at hand, borrowed until the fork. */
struct order {
	const struct runtime *runtime;
	const struct core *facts; /* of the host, read once */
	const char *namespace, *id, *bundle;
	const char *exec_id; /* exec */
	const char *logger; /* create, exec: a binary:// URI for stdout and stderr; NULL */
	bool terminal; /* create, exec: ret->fd becomes its master */
	bool all; /* kill: every process */
	int sig; /* kill */
	const char *cgroup; /* pids, metrics; destroy, when an external runtime is gone */
	const void *document; /* exec: `process`; update: `resources`; JSON */
	size_t document_len;
	pid_t pid; /* restore: 0: not known; mounts: of the first process, whose pidfd is fd 0 */
	const struct spec_mount *mount; /* to be added */
	const char *destination; /* where `live` is to be removed */
	const struct live_mount *live;
	Containerd__Types__Mount **mounts; /* create: onto the root file system */
	size_t n_mounts;
};

struct runtime_ops {
	/* ret: pid, pidfd, oom, memory, shared_pids, builtin_init, start, plain */
	int (*create)(struct helper_result *ret, void *order, struct err *e);
	int (*start)(struct helper_result *ret, void *order, struct err *e); /* where create had no ret->start */
	int (*exec)(struct helper_result *ret, void *order, struct err *e); /* ret: pid, pidfd */
	int (*kill)(struct helper_result *ret, void *order, struct err *e);
	int (*pause)(struct helper_result *ret, void *order, struct err *e);
	int (*resume)(struct helper_result *ret, void *order, struct err *e);
	int (*update)(struct helper_result *ret, void *order, struct err *e);
	/* Kills what is left, removes everything, unmounts; an absent one is fine. */
	int (*destroy)(struct helper_result *ret, void *order, struct err *e);
	/* The same for what is ret->plain and has ended, in the shim itself; < 0: only destroy() will do. */
	int (*remove)(const struct order *o);
	/* What is to be known of one that an earlier run of ours has created. ret: state, oom, cgroup, memory,
	 * shared_pids; where its process is not known, which is an error if it has none, pid and pidfd;
	 * NULL: there is no later run. */
	int (*restore)(struct helper_result *ret, void *order, struct err *e);
	/* Kills the first process, a pid namespace's, and so all; in the shim; < 0, NULL: only kill() will do. */
	int (*end)(const struct order *o, int pidfd);
};

/* How the runtime of a task is called: part of what the shim keeps on file
 * (task_record.h), so that its clean-up calls the same. */
struct runtime {
	const struct runtime_ops *ops;
	char *binary; /* external: to execute; "": built in */
	char *root; /* its state, with the namespace */
	char *cgroup; /* external: where it has put the container; NULL: not known */
	bool systemd_cgroup, no_pivot_root, no_new_keyring;
};

extern const struct runtime_ops builtin_ops, external_ops;

/* Whatever the runtime: the directory of the bundle, which holds nothing any more. */
int operation_remove_bundle(struct helper_result *ret, void *order, struct err *e);
/* In the shim itself, where it holds a few files and perhaps an empty rootfs; < 0: only the other will do. */
int operation_remove_small_bundle(const struct order *o);
/* In the container's mount namespace, whatever the runtime. ret: mount */
int operation_mount_add(struct helper_result *ret, void *order, struct err *e);
int operation_mount_remove(struct helper_result *ret, void *order, struct err *e);
/* Of the container's cgroup, whatever the runtime; the answer is a file, ret->fd. */
int operation_pids(struct helper_result *ret, void *order, struct err *e); /* pid_t each */
int operation_metrics(struct helper_result *ret, void *order, struct err *e); /* a packed Any */
