/*
 * The plan of one process in a container: everything that was decided before
 * clone3, as plain data. core/planner.c makes it from a specification and host
 * facts (a pure function), `--dry-run` prints it, core/launch.c and src/init
 * carry it out and decide nothing more.
 *
 * All pointers belong to the arena of the request. After clone3 the child sees
 * the same memory and only reads it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct plan_id_map {
	uint32_t inside, outside, size;
};

/* A namespace that is joined. `fd` is opened by launch just before clone3. */
struct plan_join {
	int type; /* CLONE_NEW* */
	const char *name; /* "network", for errors */
	const char *path;
};

/*      op          name in the dry run   what it does                                  */
#define FS_OPS(X)                                                                         \
	X(MOUNT,    "mount")      /* a new superblock of `fstype` on `target` */          \
	X(BIND,     "bind")       /* `source` of the host on `target` */                  \
	X(DIR,      "mkdir")      /* a directory at `target` */                           \
	X(NODE,     "mknod")      /* a device node (bound from the host in a user namespace) */ \
	X(SYMLINK,  "symlink")    /* `target` -> `source` */                              \
	X(MASK,     "mask")       /* hide `target`: /dev/null over a file, an empty tmpfs over a directory */ \
	X(READONLY, "readonly")   /* `target` becomes read-only, on a bind of itself */   \
	X(REMOUNT,  "remount")    /* change flags of the mount at `target`, or of one that was kept open */

enum fs_op {
#define X(id, name) FS_##id,
	FS_OPS(X)
#undef X
	FS_OP_COUNT
};

/*      member      in the JSON form  in the dry run                                       */
#define FS_STEP_NOTES(X)                                                                          \
	X(recursive,  "recursive", "with all below")              /* FS_BIND: rbind */            \
	X(copy_up,    "copyUp",    "contents copied up")          /* tmpcopyup */                 \
	X(keep_mode,  "keepMode",  "mode of the directory below") /* tmpfs without mode= */       \
	X(no_symlink, "noSymlink", "no symbolic link")   /* the target itself may be none (/proc, /sys) */ \
	X(from_host,  "fromHost",  "opened by the parent") /* FS_BIND: launch opens `source` (privileges, idmap) */ \
	X(optional,   "optional",  "if it exists")       /* nothing to do when target or source is absent */ \
	X(kept,       "kept",      "kept open")          /* FS_MOUNT: for the FS_REMOUNT that has it too */

/* One step in making the file system. Paths in the container are resolved
 * below the root by fd (rootfs.h). */
struct fs_step {
	enum fs_op op;
	const char *target; /* in the container */
	const char *source; /* host path, device name, or a symlink's contents */
	const char *fallback; /* FS_BIND: the source when `source` is absent; NULL: none */
	const char *fstype;
	const char *data; /* options of the file system, comma-separated */
	unsigned long flags, cleared; /* MS_* */
	uint64_t rec_set, rec_clear; /* MOUNT_ATTR_* for the whole tree */
	unsigned long propagation[4]; /* MS_*, applied in order */
	uint32_t n_propagation;
#define X(member, key, words) bool member;
	FS_STEP_NOTES(X)
#undef X
	bool on_proc; /* written below /proc, and checked: else a target in procfs is refused */
	size_t of; /* FS_REMOUNT, kept: the step that made the mount, whatever is at `target` by then */
	bool skip_exists; /* FS_NODE, FS_SYMLINK: fine when something else is there */
	bool idmap, idmap_recursive;
	const struct plan_id_map *uid_maps, *gid_maps; /* idmap: own maps; NULL: the container's */
	uint32_t n_uid_maps, n_gid_maps;
	mode_t mode; /* FS_NODE: type and permissions; FS_DIR */
	dev_t dev;
	uid_t uid;
	gid_t gid;
	const char *pointer; /* where in config.json it comes from; NULL: a default */
};

struct plan_kv {
	const char *key, *value;
	const char *pointer;
};

struct plan_rlimit {
	int resource;
	const char *name;
	uint64_t soft, hard;
};

struct plan_scheduler { /* sched_setattr(2)'s struct sched_attr, first version */
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

struct plan_caps {
	uint64_t bounding, effective, inheritable, permitted, ambient;
};

struct plan_filter { /* compiled seccomp program, filled in by launch */
	void *insns; /* struct sock_filter */
	uint16_t n;
	uint32_t flags;
};

/* The process: the same for the first one and for exec. */
struct plan_process {
	char *const *argv;
	bool builtin_init; /* berth's own program is executed: argv is what ps shows */
	char **env; /* with room for one more (HOME) before the NULL */
	size_t n_env;
	bool need_home; /* HOME is not set: look it up in /etc/passwd */
	const char *path; /* PATH to search; NULL: argv[0] has a slash */
	const char *cwd;
	bool make_cwd;
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t n_groups;
	bool has_umask;
	mode_t umask;
	bool no_new_privs;
	struct plan_caps caps;
	uint32_t last_cap; /* of the running kernel */
	const char *apparmor, *selinux; /* labels for the exec; NULL: none */
	bool terminal;
	uint16_t rows, cols; /* 0: leave */
	const char *keyring; /* name of the session keyring; NULL: keep */
	uint32_t preserve_fds; /* 3 .. 3+n-1 stay open */
	bool has_personality;
	unsigned long personality;
	struct plan_filter filter; /* n == 0: none */
	bool has_filter; /* the spec has a seccomp section */

	/* settings that need the host's privileges and are inherited: */
	const struct plan_rlimit *rlimits; /* hard limits raised first, exact at the end */
	size_t n_rlimits;
	bool has_oom_score_adj;
	int oom_score_adj;
	const struct plan_scheduler *scheduler; /* NULL: leave */
	int ioprio; /* -1: leave; (class << 13) | priority */
	const char *affinity_initial, *affinity_final;
};

enum plan_kind { PLAN_CONTAINER, PLAN_EXEC };

struct plan {
	enum plan_kind kind;
	const char *id;
	const char *const *warnings; /* "/pointer: words": what was left out without failing */
	size_t n_warnings;

	/* namespaces */
	uint64_t new_ns; /* CLONE_NEW* to make; never CLONE_NEWCGROUP in clone3's flags */
	const struct plan_join *joins;
	size_t n_joins;
	bool own_user_ns; /* a new user namespace with these maps */
	const struct plan_id_map *uid_maps, *gid_maps;
	size_t n_uid_maps, n_gid_maps;
	bool deny_setgroups; /* rootless with a single gid map */
	bool root_is_mapped; /* 0 exists in the user namespace */
	const char *time_offsets; /* text for /proc/self/timens_offsets; NULL: none */
	bool loopback_up;

	/* cgroup */
	const char *cgroup_path; /* NULL: none (rootless without delegation) */
	bool systemd_cgroup;
	const char *systemd_unit, *systemd_slice; /* that driver's, "docker-c1.scope" in "a-b.slice" */
	const char *rdt_group; /* resctrl group; NULL: none */
	bool new_cgroup_ns;

	/* root file system */
	const char *rootfs; /* absolute host path; NULL: no mount work */
	bool own_mount_ns; /* new or joined; false: the caller's, where nothing may be mounted */
	bool no_pivot;
	unsigned long root_propagation; /* of "/" before anything is mounted */
	unsigned long final_propagation; /* of the new root at the end; 0: leave */
	const struct fs_step *steps; /* before the hooks and pivot_root */
	size_t n_steps;
	const struct fs_step *late_steps; /* after them */
	size_t n_late_steps;
	bool console_in_dev; /* bind the terminal on /dev/console */

	const char *hostname, *domainname;
	const struct plan_kv *sysctl;
	size_t n_sysctl;

	bool stop_for_hooks; /* pause before pivot_root for the hooks there */
	bool stop_for_start_hooks; /* pause between start and execve */
	const char *listener_path, *listener_metadata; /* seccomp notify */
	bool wants_listener;
	bool listener_needs_dumpable; /* a parent without privileges takes it: only from a dumpable process */

	struct plan_process process;
};
