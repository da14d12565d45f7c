/*
 * Shared by the files that make a plan (planner*.c); nobody else includes it.
 *
 * What is wrong with a specification is said with the place in config.json:
 *
 *	return plan_bad(pl, "/linux/mountLabel", "SELinux is not enabled ...");
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cgroup.h"
#include "err.h"
#include "mem.h"
#include "plan.h"
#include "planner.h"
#include "spec.h"

struct step_list {
	struct fs_step *s;
	size_t n, cap;
};

struct planner { /* one planning; everything is borrowed */
	struct arena *a;
	const struct spec *s;
	const struct host_facts *f;
	const struct plan_options *o;
	struct plan *p;
	struct step_list steps, late;
	struct err *e;
};

/* The specification cannot be carried out as it is; always < 0. */
int plan_bad(struct planner *pl, const char *pointer, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same because of this host or kernel. */
int plan_unsupported(struct planner *pl, const char *pointer, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int plan_nomem(struct planner *pl);
/* Something was left out that the specification says is no failure. */
int plan_warn(struct planner *pl, const char *pointer, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* NULL: out of memory. */
struct fs_step *plan_step(struct planner *pl, struct step_list *l, enum fs_op op,
			  const char *target, const char *pointer);
/* Path as Go's filepath.Clean makes it: no ".", "..", "//" or trailing "/";
 * a relative one is taken from `base`. NULL: out of memory. */
char *plan_path(struct arena *a, const char *base, const char *path);
/* 0: `path` is `dir`; > 0: it is below; < 0: elsewhere. Both are clean. */
int plan_path_below(const char *path, const char *dir);
/* NULL: out of memory. */
const struct plan_id_map *plan_maps(struct planner *pl, const struct spec_id_map *maps, size_t n);
bool plan_mapped(const struct plan_id_map *maps, size_t n, uint32_t inside);
bool plan_kernel_from(const struct host_facts *f, uint32_t major, uint32_t minor);

static inline bool plan_has_ns(const struct spec *s, enum ns_type t)
{
	return s->linux->ns[t].present;
}
static inline bool plan_new_ns(const struct spec *s, enum ns_type t)
{
	return s->linux->ns[t].present && !s->linux->ns[t].path;
}

int plan_mounts(struct planner *pl); /* planner_mounts.c */
/* The mount of step `of`, which must still be filled, becomes read-only by a step of `to`. */
int plan_readonly_later(struct planner *pl, size_t of, struct step_list *to); /* planner_mounts.c */
int plan_cgroup_mount(struct planner *pl, const struct spec_mount *m,
		      const char *pointer); /* planner_cgroup.c */
int plan_cgroup_path(struct planner *pl); /* planner_cgroup.c */
int plan_devices(struct planner *pl); /* planner_dev.c */
int plan_late(struct planner *pl); /* planner_mounts.c */
int plan_process_of(struct planner *pl, const struct spec_process *proc,
		    const struct spec_process *other); /* planner_process.c */
int plan_sysctl(struct planner *pl); /* planner_sysctl.c */
