/*
 * The mounts of the specification as steps, in its order, and the late steps
 * that take rights away again: read-only file systems, masked paths.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "planner_parts.h"
#include "str.h"

/* What lxcfs and its like may put over files of procfs; nothing else may be
 * mounted below /proc, or a container could be shown a false one. */
static const char *const proc_files[] = {
	"/proc/cpuinfo",
	"/proc/diskstats",
	"/proc/meminfo",
	"/proc/stat",
	"/proc/swaps",
	"/proc/uptime",
	"/proc/loadavg",
	"/proc/slabinfo",
	"/proc/net/dev",
	"/proc/sys/kernel/ns_last_pid",
};

static int check_proc(struct planner *pl, const struct spec_mount *m, const char *dest,
		      const char *pointer)
{
	const char *source;
	int below = plan_path_below(dest, "/proc");

	if (below < 0)
		return 0;
	if (below > 0) {
		for (size_t i = 0; i < ARRAY_SIZE(proc_files); i++)
			if (strcmp(dest, proc_files[i]) == 0)
				return 0;
		return plan_bad(pl, pointer, "'%s' cannot be mounted on because it is inside /proc", dest);
	}
	source = m->source ? plan_path(pl->a, pl->o->bundle, m->source) : "";
	if (!source)
		return plan_nomem(pl);
	if (m->is_bind && strcmp(source, "/proc") == 0)
		return 0;
	return plan_bad(pl, pointer, "only a proc file system may be mounted on '%s'", dest);
}

/* The kernel, not mount(2), must know mount_setattr for these. */
static int check_attrs(struct planner *pl, const struct spec_mount *m, const char *pointer)
{
	bool maps = m->idmap || m->ridmap || m->n_uid_maps || m->n_gid_maps;

	if ((maps || m->rec_set || m->rec_clear) && !plan_kernel_from(pl->f, 5, 12))
		return plan_unsupported(pl, pointer, "%s needs Linux 5.12",
					maps ? "an id-mapped mount" : "a recursive mount option");
	if (!maps)
		return 0;
	if (!pl->f->privileged)
		return plan_bad(pl, pointer, "an id-mapped mount needs CAP_SYS_ADMIN on the host");
	return 0;
}

static int step_maps(struct planner *pl, const struct spec_mount *m, struct fs_step *s)
{
	s->idmap = m->idmap || m->ridmap || m->n_uid_maps || m->n_gid_maps;
	s->idmap_recursive = m->ridmap;
	if (!m->n_uid_maps)
		return 0;
	s->uid_maps = plan_maps(pl, m->uid_maps, m->n_uid_maps);
	s->gid_maps = plan_maps(pl, m->gid_maps, m->n_gid_maps);
	if (!s->uid_maps || !s->gid_maps)
		return plan_nomem(pl);
	s->n_uid_maps = (uint32_t)m->n_uid_maps;
	s->n_gid_maps = (uint32_t)m->n_gid_maps;
	return 0;
}

static void step_flags(struct fs_step *s, const struct spec_mount *m)
{
	s->flags = m->flags & ~(unsigned long)(MS_BIND | MS_REC | MS_REMOUNT);
	s->cleared = m->cleared;
	s->rec_set = m->rec_set;
	s->rec_clear = m->rec_clear;
	memcpy(s->propagation, m->propagation, sizeof s->propagation);
	s->n_propagation = (uint32_t)m->n_propagation;
}

static int bind_mount(struct planner *pl, const struct spec_mount *m, const char *pointer)
{
	struct fs_step *s;

	s = plan_step(pl, &pl->steps, FS_BIND, m->destination, pointer);
	if (!s)
		return plan_nomem(pl);
	step_flags(s, m);
	s->source = m->source[0] == '/' ? m->source : plan_path(pl->a, pl->o->bundle, m->source);
	if (!s->source)
		return plan_nomem(pl);
	s->recursive = m->recursive;
	if (step_maps(pl, m, s) < 0)
		return -EINVAL;
	/* In another user namespace the source may be out of reach, and part of a
	 * mount that came along is locked. */
	s->from_host = s->idmap || (plan_has_ns(pl->s, NS_USER) && pl->f->privileged);
	return 0;
}

/* "context=" of SELinux, for file systems that carry labels. */
static const char *labelled(struct planner *pl, const char *type, const char *data)
{
	const char *label = pl->s->linux->mount_label;

	if (str_empty(label) || str_eq(type, "proc") || str_eq(type, "sysfs") ||
	    str_eq(type, "mqueue"))
		return data;
	return arena_printf(pl->a, "%s%scontext=\"%s\"", data ? data : "",
			    str_empty(data) ? "" : ",", label);
}

static bool has_option(const char *data, const char *key)
{
	size_t n = strlen(key);

	while (data && *data) {
		if (strncmp(data, key, n) == 0)
			return true;
		data = strchr(data, ',');
		data = data ? data + 1 : NULL;
	}
	return false;
}

int plan_readonly_later(struct planner *pl, size_t of, struct step_list *to)
{
	const struct fs_step made = pl->steps.s[of];
	struct fs_step *s = plan_step(pl, to, FS_REMOUNT, made.target, made.pointer);

	if (!s)
		return plan_nomem(pl);
	s->flags = made.flags | MS_RDONLY;
	s->kept = pl->steps.s[of].kept = true;
	s->of = of;
	pl->steps.s[of].flags &= ~(unsigned long)MS_RDONLY;
	return 0;
}

static int new_mount(struct planner *pl, const struct spec_mount *m, const char *dest,
		     const char *pointer)
{
	bool kernel_fs = str_eq(m->type, "proc") || str_eq(m->type, "sysfs");
	struct fs_step *s = plan_step(pl, &pl->steps, FS_MOUNT, m->destination, pointer);

	if (!s)
		return plan_nomem(pl);
	step_flags(s, m);
	s->fstype = m->type;
	s->source = str_empty(m->source) ? m->type : m->source;
	s->data = m->data;
	if (!str_empty(pl->s->linux->mount_label)) {
		s->data = labelled(pl, m->type, m->data);
		if (!s->data && m->data)
			return plan_nomem(pl);
	}
	s->no_symlink = kernel_fs;
	if (kernel_fs)
		s->target = dest; /* as runc: resolved by name only, never by link */
	if (str_eq(m->type, "tmpfs")) {
		s->copy_up = m->tmpcopyup;
		s->keep_mode = !has_option(m->data, "mode=");
	}
	/* Something must still be put into it. */
	if (m->flags & MS_RDONLY && (str_eq(m->type, "tmpfs") || strcmp(dest, "/dev") == 0))
		return plan_readonly_later(pl, pl->steps.n - 1, &pl->late);
	return 0;
}

static int remount(struct planner *pl, const struct spec_mount *m, const char *pointer)
{
	struct fs_step *s = plan_step(pl, &pl->steps, FS_REMOUNT, m->destination, pointer);

	if (!s)
		return plan_nomem(pl);
	step_flags(s, m);
	return 0;
}

static int plan_mount(struct planner *pl, const struct spec_mount *m, const char *pointer)
{
	char *dest = plan_path(pl->a, "/", m->destination);
	int r;

	if (!dest)
		return plan_nomem(pl);
	if (strcmp(dest, "/") == 0 && !(m->flags & MS_REMOUNT))
		return plan_bad(pl, pointer, "nothing can be mounted on '/'");
	r = check_attrs(pl, m, pointer);
	if (r < 0)
		return r;
	if (m->flags & MS_REMOUNT)
		return remount(pl, m, pointer);
	if (!m->is_bind && str_eq(m->type, "cgroup"))
		return plan_cgroup_mount(pl, m, pointer);
	if (m->is_bind || (!str_eq(m->type, "proc") && !str_eq(m->type, "sysfs") &&
			   !str_eq(m->type, "mqueue") && !str_eq(m->type, "tmpfs"))) {
		r = check_proc(pl, m, dest, pointer);
		if (r < 0)
			return r;
	}
	if (!m->is_bind && str_empty(m->type))
		return plan_bad(pl, pointer, "a mount needs a type, or the option bind");
	r = m->is_bind ? bind_mount(pl, m, pointer) : new_mount(pl, m, dest, pointer);
	if (r >= 0)
		pl->steps.s[pl->steps.n - 1].on_proc = plan_path_below(dest, "/proc") >= 0;
	return r;
}

int plan_mounts(struct planner *pl)
{
	int r = 0;

	if (!str_empty(pl->s->linux->mount_label) && !pl->f->has_selinux)
		return plan_unsupported(pl, "/linux/mountLabel", "SELinux is not enabled on this host");
	for (size_t i = 0; i < pl->s->n_mounts && r >= 0; i++) {
		char *pointer = arena_printf(pl->a, "/mounts/%zu", i);

		if (!pointer)
			return plan_nomem(pl);
		r = plan_mount(pl, &pl->s->mounts[i], pointer);
	}
	return r;
}

/* ---- the late steps --------------------------------------------------- */

/* The working directory is made while that is still possible. */
static int late_cwd(struct planner *pl)
{
	const struct spec_process *proc = pl->s->process;
	struct fs_step *s;

	if (!proc || str_empty(proc->cwd) || strcmp(proc->cwd, "/") == 0)
		return 0;
	s = plan_step(pl, &pl->late, FS_DIR, proc->cwd, "/process/cwd");
	if (!s)
		return plan_nomem(pl);
	s->mode = 0755;
	return 0;
}

static bool cwd_becomes_readonly(struct planner *pl)
{
	const struct spec *s = pl->s;
	const char *cwd = s->process && s->process->cwd ? plan_path(pl->a, "/", s->process->cwd) : NULL;

	for (size_t i = 0; cwd && i < s->linux->n_readonly_paths; i++) {
		const char *path = plan_path(pl->a, "/", s->linux->readonly_paths[i]);

		if (path && plan_path_below(cwd, path) >= 0)
			return true;
	}
	return false;
}

static int late_root(struct planner *pl)
{
	struct fs_step *s = plan_step(pl, &pl->late, FS_REMOUNT, "/", "/root/readonly");

	if (!s)
		return plan_nomem(pl);
	s->flags = MS_RDONLY;
	return 0;
}

static int late_paths(struct planner *pl, enum fs_op op, char **paths, size_t n,
		      const char *pointer)
{
	const char *label = pl->s->linux->mount_label;

	for (size_t i = 0; i < n; i++) {
		const char *at = arena_printf(pl->a, "%s/%zu", pointer, i);
		const char *path = plan_path(pl->a, "/", paths[i]);
		struct fs_step *s;
		bool is_root;

		if (!at || !path)
			return plan_nomem(pl);
		/* A mount on the root would not be seen by who is in it already. */
		is_root = op == FS_READONLY && !strcmp(path, "/");
		if (paths[i][0] != '/')
			return plan_bad(pl, at, "'%s' is not an absolute path", paths[i]);
		s = plan_step(pl, &pl->late, is_root ? FS_REMOUNT : op, paths[i], at);
		if (!s)
			return plan_nomem(pl);
		s->optional = true;
		s->flags = is_root ? MS_RDONLY : 0;
		if (op == FS_MASK && !str_empty(label))
			s->data = labelled(pl, "tmpfs", NULL);
	}
	return 0;
}

int plan_late(struct planner *pl)
{
	const struct spec_linux *l = pl->s->linux;
	bool any;
	int r = 0;

	if (pl->s->root_readonly)
		r = late_root(pl);
	any = pl->late.n != 0 || cwd_becomes_readonly(pl);
	if (r >= 0 && any) {
		size_t n = pl->late.n;

		r = late_cwd(pl);
		if (r >= 0 && pl->late.n > n) {
			struct fs_step cwd = pl->late.s[n];

			memmove(pl->late.s + 1, pl->late.s, n * sizeof cwd);
			pl->late.s[0] = cwd;
		}
	}
	if (r >= 0)
		r = late_paths(pl, FS_READONLY, l->readonly_paths, l->n_readonly_paths,
			       "/linux/readonlyPaths");
	if (r >= 0)
		r = late_paths(pl, FS_MASK, l->masked_paths, l->n_masked_paths,
			       "/linux/maskedPaths");
	return r;
}
