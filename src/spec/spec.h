/*
 * An OCI runtime configuration (runtime-spec 1.2, Linux) as C structs. Pure:
 * reading one makes no system call but reading the file it is given.
 *
 * Every pointer belongs to the arena that the document was decoded into. A
 * list is a pointer and a count (`n_x`). An optional scalar has `has_x` beside
 * it; an optional object is a pointer that is NULL when it is absent. Strings
 * are NULL when absent and never contain a NUL byte.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* gnu11 predefines it as 1; here it is the name of a member. */
#undef linux

struct arena;
struct err;
struct json;
struct json_dec;

struct kv {
	char *key;
	char *value;
};

/* ---- process ---------------------------------------------------------- */

struct spec_rlimit {
	int resource; /* RLIMIT_* */
	uint64_t soft, hard;
};

enum cap_set { CAP_SET_BOUNDING, CAP_SET_EFFECTIVE, CAP_SET_INHERITABLE,
	       CAP_SET_PERMITTED, CAP_SET_AMBIENT, CAP_SET_COUNT };

struct spec_caps {
	uint64_t set[CAP_SET_COUNT]; /* bit n is capability n */
	char *unknown[16]; /* the first few names that nobody knows */
	size_t n_unknown;
};

struct spec_user {
	uint32_t uid, gid;
	bool has_umask;
	uint32_t umask;
	uint32_t *additional_gids;
	size_t n_additional_gids;
};

struct spec_scheduler {
	int policy; /* SCHED_* */
	int32_t nice, priority;
	uint64_t flags; /* SCHED_FLAG_* */
	uint64_t runtime, deadline, period; /* nanoseconds */
};

struct spec_io_priority {
	int class; /* IOPRIO_CLASS_*: 1 realtime, 2 best effort, 3 idle */
	int priority; /* 0..7 */
};

struct spec_process {
	bool terminal;
	bool has_console_size;
	uint16_t console_height, console_width;
	struct spec_user user;
	char **args, **env; /* NULL-terminated */
	size_t n_args, n_env;
	char *cwd;
	struct spec_caps *capabilities; /* NULL: absent, which means none */
	struct spec_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privileges;
	char *apparmor_profile;
	bool has_oom_score_adj;
	int oom_score_adj;
	struct spec_scheduler *scheduler;
	struct spec_io_priority *io_priority;
	char *cpu_affinity_initial, *cpu_affinity_final; /* lists such as "0-3,7" */
	char *selinux_label;
};

/* ---- mounts ----------------------------------------------------------- */

enum { SPEC_MAX_ID_MAPS = 340 }; /* the kernel's own limit, UID_GID_MAP_MAX_EXTENTS */

struct spec_id_map {
	uint32_t container_id, host_id, size;
};

/* Options split by what they do. `flags` and `cleared` hold MS_* bits of
 * mount(2); rec_set and rec_clear hold MOUNT_ATTR_* bits for AT_RECURSIVE. */
struct spec_mount {
	char *destination; /* absolute after decoding */
	char *type, *source;
	char **options; /* as written, NULL-terminated */
	size_t n_options;

	/* decoded from options by spec_mounts.c: */
	bool is_bind; /* type "bind", or options bind / rbind */
	bool recursive; /* rbind */
	unsigned long flags; /* MS_RDONLY, MS_NOSUID, ...; never MS_BIND, MS_REC */
	unsigned long cleared; /* rw, suid, dev, exec, ... */
	uint64_t rec_set, rec_clear; /* rro, rnosuid, ... */
	unsigned long propagation[4]; /* MS_PRIVATE ... with MS_REC; in order */
	size_t n_propagation;
	bool tmpcopyup;
	bool idmap, ridmap;
	char *data; /* the options that are for the file system, comma-joined; NULL: none */

	struct spec_id_map *uid_maps, *gid_maps;
	size_t n_uid_maps, n_gid_maps;
};

/* ---- hooks ------------------------------------------------------------ */

/*      id                  key in config.json   */
#define SPEC_HOOKS(X)                            \
	X(PRESTART,         "prestart")          \
	X(CREATE_RUNTIME,   "createRuntime")     \
	X(CREATE_CONTAINER, "createContainer")   \
	X(START_CONTAINER,  "startContainer")    \
	X(POSTSTART,        "poststart")         \
	X(POSTSTOP,         "poststop")

enum hook_kind {
#define X(id, key) HOOK_##id,
	SPEC_HOOKS(X)
#undef X
	HOOK_COUNT
};

struct spec_hook {
	char *path; /* absolute */
	char **args, **env; /* NULL-terminated; args[0] is path when absent; env NULL when absent */
	size_t n_args, n_env;
	int timeout; /* seconds; 0: none given */
};

struct spec_hooks {
	struct spec_hook *list[HOOK_COUNT];
	size_t n[HOOK_COUNT];
};

/* ---- linux ------------------------------------------------------------ */

/*      id       type in config.json  clone flag      */
#define SPEC_NAMESPACES(X)                            \
	X(USER,   "user",    CLONE_NEWUSER)           \
	X(PID,    "pid",     CLONE_NEWPID)            \
	X(NETWORK,"network", CLONE_NEWNET)            \
	X(MOUNT,  "mount",   CLONE_NEWNS)             \
	X(IPC,    "ipc",     CLONE_NEWIPC)            \
	X(UTS,    "uts",     CLONE_NEWUTS)            \
	X(CGROUP, "cgroup",  CLONE_NEWCGROUP)         \
	X(TIME,   "time",    CLONE_NEWTIME)

enum ns_type {
#define X(id, type, flag) NS_##id,
	SPEC_NAMESPACES(X)
#undef X
	NS_COUNT
};

struct spec_namespace {
	bool present; /* listed: new, or joined when path is set */
	char *path; /* NULL: make a new one */
};

struct spec_time_offset {
	bool present;
	int64_t secs;
	uint32_t nanosecs;
};

struct spec_device {
	char type; /* 'c', 'b', 'p'; 'u' is read as 'c' */
	char *path; /* absolute, in the container */
	int64_t major, minor;
	bool has_mode;
	uint32_t mode; /* permission bits */
	bool has_uid, has_gid;
	uint32_t uid, gid;
};

struct spec_device_rule {
	bool allow;
	char type; /* 'a', 'b', 'c' */
	int64_t major, minor; /* -1: any */
	bool read, write, mknod;
};

struct spec_weight_device {
	int64_t major, minor;
	bool has_weight, has_leaf_weight;
	uint16_t weight, leaf_weight;
};

struct spec_throttle_device {
	int64_t major, minor;
	uint64_t rate;
};

enum throttle { THROTTLE_READ_BPS, THROTTLE_WRITE_BPS, THROTTLE_READ_IOPS,
		THROTTLE_WRITE_IOPS, THROTTLE_COUNT };

/* A 0 in memory, cpu and blockIO weights means "not given", as in runc, and is
 * read so: has_x stays false. */
struct spec_memory { /* bytes; -1: unlimited */
	bool has_limit, has_reservation, has_swap, has_kernel, has_kernel_tcp;
	int64_t limit, reservation, swap, kernel, kernel_tcp;
	bool has_swappiness;
	uint64_t swappiness; /* 0..100 */
	bool has_disable_oom_killer, disable_oom_killer;
	bool has_use_hierarchy, use_hierarchy;
	bool has_check_before_update, check_before_update;
};

struct spec_cpu { /* microseconds */
	bool has_shares, has_quota, has_burst, has_period;
	uint64_t shares, burst, period;
	int64_t quota;
	bool has_rt_runtime, has_rt_period, has_idle;
	int64_t rt_runtime, idle;
	uint64_t rt_period;
	char *cpus, *mems;
};

struct spec_block_io {
	bool has_weight, has_leaf_weight;
	uint16_t weight, leaf_weight;
	struct spec_weight_device *weight_devices;
	size_t n_weight_devices;
	struct spec_throttle_device *throttle[THROTTLE_COUNT];
	size_t n_throttle[THROTTLE_COUNT];
};

struct spec_hugepage_limit {
	char *page_size; /* "2MB" */
	uint64_t limit;
};

struct spec_rdma {
	char *device;
	bool has_hca_handles, has_hca_objects;
	uint32_t hca_handles, hca_objects;
};

struct spec_net_priority {
	char *name;
	uint32_t priority;
};

struct spec_resources {
	struct spec_device_rule *devices;
	size_t n_devices;
	struct spec_memory memory; /* all has_* false when absent */
	struct spec_cpu cpu;
	bool has_pids;
	int64_t pids_limit; /* <= 0 and -1: max */
	struct spec_block_io block_io;
	struct spec_hugepage_limit *hugepages;
	size_t n_hugepages;
	bool has_net_class_id;
	uint32_t net_class_id;
	struct spec_net_priority *net_priorities;
	size_t n_net_priorities;
	struct spec_rdma *rdma;
	size_t n_rdma;
	struct kv *unified; /* cgroup v2 file name -> contents */
	size_t n_unified;
};

struct spec_seccomp_arg {
	uint32_t index;
	uint64_t value, value_two;
	int op; /* enum scmp_compare of libseccomp, by number */
};

struct spec_syscall {
	char **names;
	size_t n_names;
	uint32_t action; /* SCMP_ACT_* without errno */
	bool has_errno;
	uint32_t errno_ret;
	struct spec_seccomp_arg *args;
	size_t n_args;
};

struct spec_seccomp {
	uint32_t default_action; /* SCMP_ACT_* without errno */
	bool has_default_errno;
	uint32_t default_errno;
	uint32_t *arches; /* SCMP_ARCH_* */
	size_t n_arches;
	bool has_flags;
	uint32_t flags; /* SECCOMP_FILTER_FLAG_* */
	char *listener_path, *listener_metadata;
	struct spec_syscall *syscalls;
	size_t n_syscalls;
	char *canonical; /* the seccomp object printed compactly: the key of the cache */
};

struct spec_intel_rdt {
	char *clos_id, *l3_cache_schema, *mem_bw_schema;
	char **schemata;
	size_t n_schemata;
	bool enable_cmt, enable_mbm, enable_monitoring;
};

struct spec_personality {
	uint32_t domain; /* PER_LINUX, PER_LINUX32 */
};

struct spec_linux {
	struct spec_namespace ns[NS_COUNT];
	struct spec_id_map *uid_maps, *gid_maps;
	size_t n_uid_maps, n_gid_maps;
	struct spec_time_offset monotonic, boottime;
	struct spec_device *devices;
	size_t n_devices;
	char *cgroups_path;
	struct spec_resources *resources; /* never NULL */
	struct spec_intel_rdt *intel_rdt;
	struct kv *sysctl; /* key: the path below /proc/sys, "net/ipv4/ip_forward" */
	size_t n_sysctl;
	struct spec_seccomp *seccomp;
	unsigned long rootfs_propagation; /* MS_* with MS_REC, 0: absent */
	char **masked_paths, **readonly_paths;
	size_t n_masked_paths, n_readonly_paths;
	char *mount_label;
	struct spec_personality *personality;
};

/* ---- the document ----------------------------------------------------- */

#define SPEC_BUILTIN_INIT "io.berth.init" /* "true" or "false" */

struct spec {
	char *oci_version;
	char *root_path; /* as written; NULL: no root object */
	bool root_readonly;
	char *hostname, *domainname;
	struct spec_process *process; /* NULL: absent (create allows it, start does not) */
	struct spec_mount *mounts;
	size_t n_mounts;
	struct spec_hooks hooks;
	struct kv *annotations;
	size_t n_annotations;
	bool builtin_init; /* annotation SPEC_BUILTIN_INIT: berth's own first process */
	struct spec_linux *linux; /* never NULL */
	char **warnings; /* accepted, but the user should be told */
	size_t n_warnings;
};

/* Collects every problem instead of stopping at the first (berth validate).
 * `add` gets one problem: a JSON pointer ("/linux/mounts/3/options/0"; "" is
 * the whole document), the line (0: unknown, or the words say it, as for text
 * that is not JSON) and words. */
struct spec_problems {
	void (*add)(void *ctx, const char *pointer, int line, const char *words);
	void *ctx;
};

/* Decodes config.json text. On failure `e` reads
 * "config.json: line 12: /process/rlimits/0/type: unknown rlimit 'RLIMIT_FOO'".
 * `name` is how the document is called in errors. `problems` may be NULL; with
 * it, every problem is reported and the first is also put into `e`.
 * The text is copied where needed; *ret_spec lives in `a`. */
int spec_parse(struct arena *a, const char *text, size_t len, const char *name,
	       const struct spec_problems *problems, struct spec **ret_spec,
	       struct err *e);

/* One `process` object (exec --process), one `resources` object (update), and one
 * of `mounts` (core/live_mount.h), whose destination is clean. */
int spec_parse_process(struct arena *a, const char *text, size_t len,
		       const char *name, struct spec_process **ret, struct err *e);
int spec_parse_resources(struct arena *a, const char *text, size_t len,
			 const char *name, struct spec_resources **ret,
			 struct err *e);
int spec_parse_mount(struct arena *a, const char *text, size_t len, const char *name,
		     struct spec_mount **ret, struct err *e);
/* Go's filepath.Clean("/" + path). NULL: out of memory. */
char *spec_clean_path(struct arena *a, const char *path);

/* The same for one that is a value of another document, whose decoding this is
 * part of: problems go where `d` says, with the pointers and lines of that
 * document. < 0 ends the decoding; else *ret may still be of a wrong document,
 * as json_dec_end() tells. */
int spec_decode(struct json_dec *d, const struct json *v, struct spec **ret);
int spec_decode_process(struct json_dec *d, const struct json *v, struct spec_process **ret);
