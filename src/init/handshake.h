/*
 * What the parent and the new process say to each other, over one
 * SOCK_SEQPACKET pair. Same binary on both sides, so no version.
 *
 *	parent                           child
 *	clone3                           joins its cgroups
 *	                      <- FORKED  (when a stage was needed: from it, with a pidfd)
 *	                      <- CLONED  (new user namespace only)
 *	writes the id maps
 *	MAPPED ->                        makes its file system
 *	                      <- MOUNTED (hooks only)
 *	prestart, createRuntime,
 *	createContainer hooks
 *	HOOKED ->                        pivots, masks, takes its credentials
 *	                      <- CREATED
 *	limits by pid, then
 *	START -> (run, exec), or
 *	DETACH -> (create)               waits for START on the start socket, or, without
 *	                                 one, here: the parent has left its end to another
 *	                      <- STARTING (startContainer hooks only), HOOKED ->
 *	                      <- LISTENER index = fd (seccomp notify only), TAKEN ->
 *	                      end of file: execve succeeded
 *
 * FAILED may come at any time: the stage, the index of the item in the plan,
 * and errno. End of file before that is a child that died; the parent says in
 * which phase. The child dies when its side sees end of file.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*      id         words for "the child died while ..."            */
#define HANDSHAKE_PHASES(X)                                        \
	X(NONE,     "starting")                                    \
	X(FORKED,   "starting")                                    \
	X(CLONED,   "waiting for its id maps")                     \
	X(MAPPED,   "setting up its file system")                  \
	X(MOUNTED,  "waiting for hooks")                           \
	X(HOOKED,   "entering its root file system")               \
	X(CREATED,  "waiting to be started")                       \
	X(DETACH,   "waiting to be started")                       \
	X(START,    "executing its program")                       \
	X(STARTING, "waiting for the startContainer hooks")        \
	X(LISTENER, "handing over its seccomp listener")           \
	X(TAKEN,    "executing its program")                       \
	X(FAILED,   "reporting a failure")

enum hs_phase {
#define X(id, words) HS_##id,
	HANDSHAKE_PHASES(X)
#undef X
	HS_PHASE_COUNT
};

/*      id              words; %s is the item of the plan           */
#define INIT_STAGES(X)                                              \
	X(PROTOCOL,     "follow the handshake")                     \
	X(CGROUP_JOIN,  "join the cgroup")                          \
	X(CGROUP_NS,    "create the cgroup namespace")              \
	X(JOIN,         "join the %s namespace")                    \
	X(JOIN_ALL,     "join the namespaces of the container")     \
	X(UNSHARE,      "create the %s namespace")                  \
	X(TIME,         "set the time offsets")                     \
	X(CLONE,        "create the process")                       \
	X(USER_ROOT,    "become root of the user namespace")        \
	X(SESSION,      "create a session")                         \
	X(KEYRING,      "join the session keyring")                 \
	X(SETTING,      "set %s")                                   \
	X(RLIMIT,       "set rlimit %s")                            \
	X(LOOPBACK,     "bring up the loopback interface")          \
	X(ROOT_PROP,    "set the propagation of /")                 \
	X(ROOTFS,       "open the root file system '%s'")           \
	X(STEP,         "%s")                                       \
	X(STEP_MAPPED,  "%s, id-mapped, which needs move_mount")    \
	X(STEP_PATH,    "%s by its path, as open_tree or move_mount is refused") \
	X(LATE_STEP,    "%s")                                       \
	X(PIVOT,        "pivot_root into '%s'")                     \
	X(FINAL_PROP,   "set the propagation of the root file system") \
	X(CONSOLE,      "create the terminal")                      \
	X(CONSOLE_SEND, "send the terminal to the console socket")  \
	X(HOSTNAME,     "set the hostname '%s'")                    \
	X(DOMAINNAME,   "set the domain name '%s'")                 \
	X(PROC,         "open a private procfs")                    \
	X(SYSCTL,       "%s: write it")                                \
	X(PERSONALITY,  "set the personality")                      \
	X(CWD,          "change to the working directory '%s'")     \
	X(GROUPS,       "set supplementary groups")                 \
	X(IDS,          "set user and group id")                    \
	X(BOUNDING,     "drop capabilities from the bounding set")  \
	X(CAPS,         "set capabilities")                         \
	X(AMBIENT,      "set ambient capabilities")                 \
	X(NO_NEW_PRIVS, "set no_new_privs")                         \
	X(APPARMOR,     "apply the AppArmor profile '%s'")          \
	X(SELINUX,      "apply the SELinux label '%s'")             \
	X(HOME,         "read /etc/passwd")                         \
	X(LOOKUP,       "exec: \"%s\"")                             \
	X(LOOKUP_PATH,  "exec: \"%s\": executable file not found in $PATH") \
	X(FDS,          "preserve file descriptors")                \
	X(WAIT,         "wait to be started")                       \
	X(SECCOMP,      "load the seccomp filter")

enum init_stage {
#define X(id, words) STAGE_##id,
	INIT_STAGES(X)
#undef X
	STAGE_COUNT
};

/* Exit code of a child that can no longer tell its parent why it ends; nobody
 * but launch sees it. */
enum { INIT_EXIT_SILENT = 125 };

struct hs_msg {
	uint32_t phase; /* enum hs_phase */
	uint32_t stage; /* enum init_stage, for FAILED */
	uint32_t index; /* of the item in the plan; the fd for LISTENER; the pid for FORKED */
	int32_t sys; /* positive errno for FAILED */
};

/* The fds that the child works with; all O_CLOEXEC, -1 when there is none. */
struct init_fds {
	int sync; /* the child's end of the handshake pair */
	int parent_sync; /* the other end: kept open by us, its death would not be noticed */
	bool settings; /* make the settings ourselves, first of all */
	bool wait_for_maps; /* a new user namespace: CLONED, MAPPED first */
	int gate[2]; /* init, cloned by a stage: waits for one byte that says FORKED was sent */
	int start; /* create: listening socket; START comes over a connection */
	int console; /* connected console socket; -1: none */
	int program; /* to be executed instead of what argv names; -1: none */
	int cgroup[16]; /* `tasks` files to join by writing "0" */
	int n_cgroup;
	int *step; /* per step of plan->steps: a detached mount made by launch, or what we keep open; -1 */
	int proc; /* the host's /proc, O_PATH */

	int target; /* exec: pidfd of the container's first process; -1 */
	int target_ns; /* exec: CLONE_NEW* to join through it */
	int target_root; /* exec: its root directory when the mount namespace is not its own; -1 */
	bool enter_target; /* exec without a stage: init itself joins them */

	/* for the stage: */
	int join[8]; /* in the order of plan->joins */
	int clone_cgroup; /* cgroup v2: directory for CLONE_INTO_CGROUP */
	bool hide; /* what the container may trace is cloned only when nothing of the host is left in it */
};

struct plan;

/* Runs in the new process; ends in execve or _exit. */
_Noreturn void init_main(const struct plan *p, const struct init_fds *f);

/* A short-lived process between parent and init, where namespaces have to be
 * entered before init is cloned: joins them, makes the user and time
 * namespaces, clones init as its own sibling (CLONE_PARENT), hands over the
 * pidfd and ends. */
_Noreturn void stage_main(const struct plan *p, const struct init_fds *f);

/* clone3 with a pidfd, or clone(2) where clone3 is missing. `cgroup` is a v2
 * directory to be born in, or -1; *ret_joined says whether that was done.
 * Returns 0 in the child. */
pid_t clone_process(uint64_t flags, int cgroup, int *ret_pidfd, bool *ret_joined);

/* Settings that a process keeps across fork and that need the host's
 * privileges: OOM score, scheduler, I/O priority, CPU affinity, and hard limits
 * that have to be raised. The first process does it for itself (pid 0) before
 * it joins anything; in a new user namespace it has no privileges left and the
 * parent does it by pid. *ret_index is the item that failed. */
int settings_apply(const struct plan *p, int proc, pid_t pid, uint32_t *ret_index);
const char *setting_name(const struct plan *p, uint32_t index);

/* The program's bounding set, groups and ids (capabilities are kept), then its
 * capabilities, with `extra` ones for now, and no_new_privs. On failure *e says
 * what it was. */
struct identity_error {
	enum init_stage stage;
	uint32_t index;
};
int identity_set_ids(const struct plan *p, struct identity_error *e);
int identity_take_caps(const struct plan *p, uint64_t extra, struct identity_error *e);
int identity_set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable);

/* In a user namespace just entered: its 0, if there is one. */
int become_root(const struct plan *p);
