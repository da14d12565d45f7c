/*
 * Where the container's cgroup is, and a mount of type "cgroup": on v1 a tmpfs
 * with one bind for every hierarchy, on v2 the one hierarchy there is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "cgroup_systemd.h"
#include "planner_parts.h"
#include "str.h"

#define FIXED_FLAGS (MS_NOSUID | MS_NOEXEC | MS_NODEV)

static int plan_scope(struct planner *pl)
{
	struct cgroup_unit u;
	int r = cgroup_systemd_unit(pl->a, pl->s->linux->cgroups_path, pl->o->id,
				    !pl->f->privileged, &u, pl->e);

	if (r < 0)
		return r;
	pl->p->systemd_unit = u.name;
	pl->p->systemd_slice = u.slice;
	pl->p->cgroup_path = u.path;
	return 0;
}

int plan_cgroup_path(struct planner *pl)
{
	const struct cgroup_host *h = pl->f->cgroup;
	char *path;
	int r;

	pl->p->systemd_cgroup = pl->o->systemd_cgroup;
	if (!h || h->mode == CGROUP_NONE || pl->o->no_cgroup)
		return 0;
	if (pl->o->systemd_cgroup)
		return plan_scope(pl);
	r = cgroup_path_from_spec(pl->a, pl->s->linux->cgroups_path, pl->o->id, &path, pl->e);
	if (r < 0)
		return err_wrap(pl->e, r, "/linux/cgroupsPath");
	pl->p->cgroup_path = path;
	return 0;
}

/* The caller's own cgroup of one hierarchy as a directory of the host. */
static char *own_dir(struct planner *pl, const struct cgroup_hierarchy *h)
{
	const char *path = h->own ? h->own : "/", *root = h->mount_root;

	/* The mount may show a part of the hierarchy only. */
	if (!str_empty(root) && strcmp(root, "/") != 0 && plan_path_below(path, root) >= 0)
		path += strlen(root);
	path = arena_printf(pl->a, "%s/%s", h->mountpoint, path);
	return path ? plan_path(pl->a, "/", path) : NULL;
}

static char *container_dir(struct planner *pl, const struct cgroup_hierarchy *h)
{
	const char *path = arena_printf(pl->a, "%s/%s", h->mountpoint, pl->p->cgroup_path);

	return path ? plan_path(pl->a, "/", path) : NULL;
}

/* The cgroup that the container will be in. Where an unprivileged caller may
 * not make one, that is the caller's. */
static int set_source(struct planner *pl, const struct cgroup_hierarchy *h, struct fs_step *s)
{
	s->source = pl->p->cgroup_path ? container_dir(pl, h) : own_dir(pl, h);
	if (!s->source)
		return plan_nomem(pl);
	if (!pl->p->cgroup_path || pl->f->privileged)
		return 0;
	s->fallback = own_dir(pl, h);
	return s->fallback ? 0 : plan_nomem(pl);
}

static void propagate(struct fs_step *s, const struct spec_mount *m)
{
	memcpy(s->propagation, m->propagation, sizeof s->propagation);
	s->n_propagation = (uint32_t)m->n_propagation;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int v1_hierarchy(struct planner *pl, const struct spec_mount *m,
			const struct cgroup_hierarchy *h, const char *pointer)
{
	const char *name = last_part(h->mountpoint);
	struct fs_step *s;
	char *target;

	target = arena_printf(pl->a, "%s/%s", m->destination, name);
	s = target ? plan_step(pl, &pl->steps, FS_BIND, target, pointer) : NULL;
	if (!s)
		return plan_nomem(pl);
	s->flags = FIXED_FLAGS | MS_RELATIME | (m->flags & MS_RDONLY);
	s->from_host = pl->p->own_user_ns && pl->f->privileged;
	propagate(s, m);
	return set_source(pl, h, s);
}

/* "cpu" and "cpuacct" beside "cpu,cpuacct". */
static int v1_links(struct planner *pl, const struct spec_mount *m,
		    const struct cgroup_hierarchy *h, const char *pointer)
{
	const char *name = last_part(h->mountpoint), *at = name;

	if (!strchr(name, ','))
		return 0;
	while (*at) {
		size_t n = strcspn(at, ",");
		char *target = arena_printf(pl->a, "%s/%.*s", m->destination, (int)n, at);
		struct fs_step *s = target && n ? plan_step(pl, &pl->steps, FS_SYMLINK, target, pointer) : NULL;

		if (!target || (n && !s))
			return plan_nomem(pl);
		if (s) {
			s->source = name;
			s->skip_exists = true;
		}
		at += n + (at[n] == ',');
	}
	return 0;
}

static int cgroup_v1(struct planner *pl, const struct spec_mount *m, const char *pointer)
{
	const struct cgroup_host *h = pl->f->cgroup;
	const size_t at = pl->steps.n;
	struct fs_step *s = plan_step(pl, &pl->steps, FS_MOUNT, m->destination, pointer);
	int r = 0;

	if (!s)
		return plan_nomem(pl);
	s->fstype = s->source = "tmpfs";
	s->data = "mode=755";
	s->flags = FIXED_FLAGS;
	propagate(s, m);
	for (size_t i = 0; r >= 0 && i < h->n; i++)
		if (h->h[i].controllers[0])
			r = v1_hierarchy(pl, m, &h->h[i], pointer);
	for (size_t i = 0; r >= 0 && i < h->n; i++)
		if (h->h[i].controllers[0])
			r = v1_links(pl, m, &h->h[i], pointer);
	return r < 0 || !(m->flags & MS_RDONLY) ? r : plan_readonly_later(pl, at, &pl->steps);
}

/* A cgroup namespace can be mounted by who owns it. One that is joined from
 * outside a new user namespace cannot: then the container's directory itself
 * is bound, which looks the same. */
static int cgroup_v2(struct planner *pl, const struct spec_mount *m, const char *pointer)
{
	const struct cgroup_hierarchy *h = &pl->f->cgroup->h[0];
	bool has_ns = plan_has_ns(pl->s, NS_CGROUP);
	bool mountable = has_ns && (pl->p->new_cgroup_ns || !pl->p->own_user_ns);
	struct fs_step *s;

	s = plan_step(pl, &pl->steps, mountable ? FS_MOUNT : FS_BIND, m->destination, pointer);
	if (!s)
		return plan_nomem(pl);
	s->flags = m->flags & ~(unsigned long)(MS_BIND | MS_REC | MS_REMOUNT);
	s->cleared = m->cleared;
	propagate(s, m);
	if (mountable) {
		s->fstype = "cgroup2";
		s->source = str_empty(m->source) ? "cgroup" : m->source;
		s->data = m->data;
		return 0;
	}
	s->from_host = pl->p->own_user_ns && pl->f->privileged;
	if (has_ns)
		return set_source(pl, h, s);
	s->source = h->mountpoint;
	return 0;
}

int plan_cgroup_mount(struct planner *pl, const struct spec_mount *m, const char *pointer)
{
	const struct cgroup_host *h = pl->f->cgroup;

	if (!h || h->mode == CGROUP_NONE || !h->n)
		return plan_unsupported(pl, pointer, "this host has no cgroup file system");
	return h->mode == CGROUP_V2 ? cgroup_v2(pl, m, pointer) : cgroup_v1(pl, m, pointer);
}
