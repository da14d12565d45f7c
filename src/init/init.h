/*
 * Shared by the files of src/init: the state of the new process between clone3
 * and execve. Nothing here allocates, prints, logs or locks; a failure is one
 * write of numbers (init_fail) and the parent finds the words in the plan.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "handshake.h"
#include "plan.h"
#include "rootfs.h"

struct init {
	const struct plan *p;
	const struct init_fds *f;
	int sync; /* the handshake; after DETACH the connection of `start` */
	int start; /* where `start` will connect, once the host was forgotten; -1: nowhere */
	int program; /* built-in, once the host was forgotten; -1: what argv names */
	int root; /* the root file system, O_PATH; -1 before it exists */
	int null; /* the host's /dev/null, O_PATH, for masks */
	int kernel_fs[2]; /* /proc and /sys as mounted: below them nothing is looked up by way of the image */
	int mask_tmpfs; /* the empty tmpfs that all masked directories share */
	struct rootfs_dir parent; /* of what the last steps made */
	bool old_mount_api; /* fsopen or open_tree is missing: mount(2) from now on */
	char path[PATH_MAX]; /* of the program, found by init_lookup() */
	char home[PATH_MAX + 8]; /* "HOME=..." */
};

/* handshake (init.c) */
_Noreturn void init_fail(struct init *in, enum init_stage stage, uint32_t index, int r);
void init_tell(struct init *in, enum hs_phase phase, uint32_t index);
void init_expect(struct init *in, enum hs_phase phase);
void init_join_cgroup(struct init *in); /* ourselves; its namespace comes later */
/* r < 0: fail; else r. The usual way to make a call that may not fail. */
int init_must(struct init *in, int r, enum init_stage stage, uint32_t index);

/* settings.c */
enum { SETTING_OOM_SCORE, SETTING_SCHEDULER, SETTING_IOPRIO, SETTING_AFFINITY, SETTING_RLIMIT };
void apply_settings(struct init *in);
int affinity_set(pid_t pid, const char *list);
void init_rlimits(struct init *in); /* exact, at the very end */

/* the file system (init_mounts.c, init_steps.c) */
void init_root(struct init *in); /* propagation, rootfs attached and opened */
/* *fd: the mount that goes with it, made by launch or kept open; NULL: there can be none. 0 or -errno. */
int init_step(struct init *in, const struct fs_step *s, int *fd);
void init_pivot(struct init *in);

/* mount primitives, new API first, mount(2) where it is missing (init_mounts.c) */
/* "/proc/self/fd/N", the only path by which mount(2) can be given an fd. */
struct fd_path {
	char s[32];
};
struct fd_path path_of_fd(int fd);
int mount_attach(int tree, int target);
int mount_clone(struct init *in, int dir, const char *path, bool recursive);
/* The last mount of all, before mount(2); and what that made, which `name` leads to:
 * an O_PATH fd, -ESTALE when it leads to another mount by now (init_made.c). */
int mount_last(struct init *in);
int mount_made(struct init *in, const char *name, int last);
/* Binds `source` (an fd) over `target`, with what is mounted below it if
 * `recursive`, else as no peer of the source; returns an O_PATH fd of the result. */
int mount_bind_fd(struct init *in, int source, int target, const char *name, bool recursive);
int mount_set_flags(int fd, unsigned long set, unsigned long clear);
int mount_set_propagation(int fd, unsigned long flags);

/* tmpcopyup (init_copyup.c): copies the contents of one directory into another */
int copy_up(int from, int to);

/* the terminal (init_console.c) */
void init_console(struct init *in);

/* identity and settings (init_creds.c) */
void init_names(struct init *in); /* hostname, domain name, sysctl */
void init_labels(struct init *in); /* for the exec: the last that needs procfs */
void init_credentials(struct init *in); /* all else that can be done before start */
void init_finish_credentials(struct init *in); /* what start releases: seccomp, last capabilities */
int init_proc_open(struct init *in, const char *path, int flags);

/* the program (init_exec.c) */
void init_home(struct init *in);
void init_lookup(struct init *in);
_Noreturn void init_exec(struct init *in);
