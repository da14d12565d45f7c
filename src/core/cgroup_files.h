/*
 * Inside the cgroup code only: the directories and files of one cgroup.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct cgroup;
struct cgroup_host;
struct err;

/* "<mountpoint><path>" of hierarchy i. -ENAMETOOLONG. */
int cgroup_dir_path(char buf[PATH_MAX], const struct cgroup *cg, size_t i);

/* v2: it lists its threads, but no processes. */
bool cgroup_is_threaded(int dir);

/* Calls `visit` for `dir` and then for every cgroup below it, parents first. A
 * result other than 0 ends the walk and is returned. A cgroup that vanishes
 * meanwhile is skipped; -ELOOP beyond CGROUP_MAX_DEPTH levels. */
#define CGROUP_MAX_DEPTH 256
int cgroup_walk(int dir, int (*visit)(int dir, void *ctx), void *ctx);

/* Removes every cgroup below `dir`, however deep. -EBUSY while one holds
 * processes. */
int cgroup_remove_children(int dir);

/* v1: an empty cpuset takes no process, so it gets its parent's values. */
int cgroup_inherit_cpuset(int dir);
/* v2: every controller of the host, down to the cgroup. */
int cgroup_enable_controllers(const struct cgroup *cg, struct err *e);
