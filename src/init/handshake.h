/*
 * What the parent and the new process say to each other, over one
 * SOCK_SEQPACKET pair. Same binary on both sides, so no version.
 *
 *	parent                           child
 *	clone3                           joins its cgroups
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
 *	DETACH -> (create)               waits on the start socket for START
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

/*      id         words for "the child died while ..."            */
#define HANDSHAKE_PHASES(X)                                        \
	X(NONE,     "starting")                                    \
	X(CLONED,   "waiting for its id maps")                     \
	X(MAPPED,   "making its file system")                      \
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
	X(LOOPBACK,     "bring up the loopback interface")          \
	X(ROOT_PROP,    "set the propagation of /")                 \
	X(ROOTFS,       "open the root file system '%s'")           \
	X(STEP,         "%s")                                       \
	X(LATE_STEP,    "%s")                                       \
	X(PIVOT,        "pivot_root into '%s'")                     \
	X(FINAL_PROP,   "set the propagation of the root file system") \
	X(CONSOLE,      "create the terminal")                      \
	X(CONSOLE_SEND, "send the terminal to the console socket")  \
	X(HOSTNAME,     "set the hostname '%s'")                    \
	X(DOMAINNAME,   "set the domain name '%s'")                 \
	X(PROC,         "open a private procfs")                    \
	X(SYSCTL,       "write sysctl '%s'")                        \
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
	X(SECCOMP,      "load the seccomp filter")                  \
	X(EXEC,         "exec %s")

enum init_stage {
#define X(id, words) STAGE_##id,
	INIT_STAGES(X)
#undef X
	STAGE_COUNT
};

struct hs_msg {
	uint32_t phase; /* enum hs_phase */
	uint32_t stage; /* enum init_stage, for FAILED */
	uint32_t index; /* of the item in the plan; the fd for LISTENER */
	int32_t sys; /* positive errno for FAILED */
};

/* The fds that the child works with; all O_CLOEXEC, -1 when there is none. */
struct init_fds {
	int sync; /* the child's end of the handshake pair */
	bool wait_for_maps; /* a new user namespace: CLONED, MAPPED first */
	int start; /* create: listening socket; START comes over a connection */
	int console; /* connected console socket; -1: none */
	int cgroup[16]; /* `tasks` files to join by writing "0" */
	int n_cgroup;
	int rootfs_tree; /* the root file system as a detached mount made by launch; -1: open it here */
	int *step; /* per step of plan->steps: a detached mount made by launch, or -1 */
	int proc; /* the host's /proc, O_PATH */
};

struct plan;

/* Runs in the new process; ends in execve or _exit. */
_Noreturn void init_main(const struct plan *p, const struct init_fds *f);
