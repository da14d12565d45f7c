/*
 * The control groups of one container, on cgroup v1, v2 or a hybrid host.
 *
 * Hierarchies are found from mountinfo, never by listing /sys/fs/cgroup. A
 * host with any v1 controller hierarchy uses v1 for what is there (and, in a
 * hybrid, nothing of v2); a host with only v2 uses v2.
 *
 *	cgroup_host_read(&host, a, e);
 *	cgroup_create(&cg, &host, "/berth/c1", e);	// directories, fds
 *	cgroup_apply(&cg, resources, e);		// limits
 *	n = cgroup_join_fds(&cg, fds, e);		// before clone3
 *	... the child writes "0" to each fd (v1), or clone3 gets cg.dirfd (v2)
 *	cgroup_destroy(&cg, e);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct err;
struct spec_resources;

#define CGROUP_MAX_HIERARCHIES 16

enum cgroup_mode { CGROUP_NONE, CGROUP_V1, CGROUP_V2 };

struct cgroup_hierarchy {
	char *controllers; /* "memory", "cpu,cpuacct", "name=systemd"; "" for v2 */
	char *mountpoint; /* on the host */
	char *mount_root; /* what the mount shows: 4th field of mountinfo, normally "/" */
	char *own; /* the caller's own cgroup in it, from /proc/self/cgroup */
};

struct cgroup_host { /* a host fact: read once, const afterwards */
	enum cgroup_mode mode;
	struct cgroup_hierarchy h[CGROUP_MAX_HIERARCHIES];
	size_t n;
	char *v2_controllers; /* v2: cgroup.controllers of the root, space separated */
};

struct cgroup {
	const struct cgroup_host *host; /* borrowed */
	char *path; /* within each hierarchy: "/berth/c1"; owned */
	int fd[CGROUP_MAX_HIERARCHIES]; /* the container's directory in host->h[i]; -1: none; see cgroup_fd() */
	bool made[CGROUP_MAX_HIERARCHIES]; /* we made the directory (so an undo removes it) */
	size_t parents[CGROUP_MAX_HIERARCHIES]; /* and so many above it */
	int lock; /* while it is being made into a container's: flock'ed, the first of the directories */
};

/* Reads mountinfo and /proc/self/cgroup; the strings live in `a`. */
int cgroup_host_read(struct cgroup_host *h, struct arena *a, struct err *e);
/* The pure part, for tests and the fuzzer. */
int cgroup_host_parse(struct cgroup_host *h, struct arena *a,
		      const char *mountinfo, const char *self_cgroup,
		      struct err *e);

/* Of a container without a path of its own; removed with the last one in it. */
#define CGROUP_DEFAULT_PARENT "/berth"

/* linux.cgroupsPath (cgroupfs driver) -> path below each mountpoint: absolute
 * or relative it counts from there (docs/cgroups.md says why); absent:
 * CGROUP_DEFAULT_PARENT and the id. Pure. Refuses ".." and "/" itself. */
int cgroup_path_from_spec(struct arena *a, const char *cgroups_path,
			  const char *id, char **ret, struct err *e);

/* Makes the directories (parents too; cpuset.cpus/mems copied down on v1,
 * subtree_control enabled downwards on v2). A directory that holds processes
 * is an error, as in runc, and so is one that another process has created and
 * not let go by cgroup_done(). On failure what was made is removed again. */
int cgroup_create(struct cgroup *cg, const struct cgroup_host *host,
		  const char *path, struct err *e);
/* The same for a caller without privileges: a hierarchy that it may not write
 * is left out (fd -1). -EACCES, -EPERM or -EROFS when that leaves none. */
int cgroup_create_partial(struct cgroup *cg, const struct cgroup_host *host,
			  const char *path, struct err *e);
/* For a path that somebody else (systemd) has made and filled with our
 * process: opened where it is, made in the other hierarchies. */
int cgroup_adopt(struct cgroup *cg, const struct cgroup_host *host,
		 const char *path, struct err *e);
/* Opens an existing one; a hierarchy where it is missing gets fd -1. */
int cgroup_open(struct cgroup *cg, const struct cgroup_host *host,
		const char *path, struct err *e);
/* The same for the one hierarchy that has this controller. */
int cgroup_open_only(struct cgroup *cg, const struct cgroup_host *host, const char *path,
		     const char *controller, struct err *e);
/* v2: the cgroup that a process is in. Where the container has moved its
 * processes down and enabled controllers for them, its own cgroup takes no
 * process any more (EBUSY): an exec then goes to where the init process is. */
int cgroup_open_of(struct cgroup *cg, const struct cgroup_host *host, pid_t pid,
		   struct err *e);
void cgroup_done(struct cgroup *cg); /* closes fds; removes nothing */

/* The directory, borrowed; -1: none. Of those that cgroup_create() makes most are never
 * asked for, so they are opened when they are. */
#define CGROUP_NOT_OPENED (-2)
int cgroup_fd(const struct cgroup *cg, size_t i);

/* An update may give one of two limits that belong together (quota and period,
 * swap and memory): the other becomes what is in force. */
void cgroup_complete(const struct cgroup *cg, struct spec_resources *r);
/* Writes limits in the order the kernel wants (memory before swap when
 * shrinking, ...). `device rules` only when `devices` is true (create). */
int cgroup_apply(struct cgroup *cg, const struct spec_resources *r,
		 bool devices, struct err *e);

/* Gives the directory, and the files the kernel says are for that, to the user
 * who is root in the container (the specification: v2, a cgroup namespace and
 * a writable mount of it). Nothing to do on v1. */
int cgroup_delegate(const struct cgroup *cg, uid_t uid, struct err *e);

/* Opened-for-writing `tasks` (v1) or `cgroup.procs` (v2) files to join by
 * writing "0". Returns how many; the fds are the caller's. */
int cgroup_join_fds(const struct cgroup *cg, int fds[CGROUP_MAX_HIERARCHIES],
		    struct err *e);
/* v2: whether the caller may move processes from its own cgroup to this one,
 * for which their common ancestor must be writable. */
bool cgroup_may_join(const struct cgroup *cg);
/* The hierarchy that holds a v1 controller ("name=systemd" too), or the v2
 * one; -1: none. */
int cgroup_hierarchy_of(const struct cgroup_host *host, const char *controller);
/* The directory for CLONE_INTO_CGROUP, borrowed; -1 unless v2. */
int cgroup_clone_fd(const struct cgroup *cg);

/* Waits until it is so, at most 10 s; what could not be frozen is thawed again. */
int cgroup_freeze(const struct cgroup *cg, bool freeze, struct err *e);
int cgroup_is_frozen(const struct cgroup *cg, struct err *e); /* 1, 0, -errno */

/* All pids (in the caller's pid namespace) below it, sorted; arena memory. */
int cgroup_pids(const struct cgroup *cg, struct arena *a, pid_t **ret,
		size_t *n, struct err *e);
/* Sends `sig` to every process of the subtree; SIGKILL also reaches frozen and
 * forking ones (cgroup.kill, or freeze + signal + thaw). Repeats until nothing
 * new appears, bounded. Never signals a pid that left the cgroup: pidfd_open,
 * then check that the pid is still listed. */
int cgroup_signal_all(const struct cgroup *cg, int sig, struct err *e);
/* Waits until no process is left, at most `ms`. 0, -ETIMEDOUT. */
int cgroup_wait_empty(const struct cgroup *cg, int ms, struct err *e);
/* Removes the subtree (children first); absent is fine; -EBUSY is retried
 * until `ms` passed. */
int cgroup_destroy(struct cgroup *cg, int ms, struct err *e);

/* At once, and only what is empty: -EBUSY while a process or another cgroup is in it. */
int cgroup_remove(const struct cgroup *cg);

/* After that, for what failed: the parents that cgroup_create() made, as far as
 * nothing else is in them by now. */
void cgroup_remove_parents(struct cgroup *cg);

/* OOM kills counted so far below this cgroup (v1: memory.oom_control oom_kill
 * summed over the subtree; v2: memory.events oom_kill). */
int cgroup_oom_count(const struct cgroup *cg, uint64_t *ret, struct err *e);
/* An fd that polls readable when an OOM may have happened (v1 eventfd on
 * memory.oom_control, v2 inotify on memory.events); the caller's. After it
 * fires, cgroup_oom_clear() and look at the count. */
int cgroup_oom_fd(const struct cgroup *cg, struct err *e);
void cgroup_oom_clear(int fd);

/* Statistics: see cgroup_stats.h. */
