/*
 * The planner: specification and host facts in, plan out; nothing else. This
 * file has the verbs, the namespaces and what all its parts share; the parts
 * are planner_mounts.c, planner_cgroup.c, planner_dev.c, planner_process.c and
 * planner_sysctl.c. Where the OCI specification leaves a choice, runc's is taken.
 */
#include "planner.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "names.h"
#include "planner_parts.h"
#include "str.h"

/* ---- shared ----------------------------------------------------------- */

static int bad_v(struct planner *pl, enum err_kind kind, const char *pointer,
		 const char *fmt, va_list ap)
{
	char words[512];

	vsnprintf(words, sizeof words, fmt, ap);
	return err_set(pl->e, kind, 0, "%s: %s", pointer, words);
}

int plan_bad(struct planner *pl, const char *pointer, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = bad_v(pl, ERR_INVALID, pointer, fmt, ap);
	va_end(ap);
	return r;
}

int plan_unsupported(struct planner *pl, const char *pointer, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = bad_v(pl, ERR_UNSUPPORTED, pointer, fmt, ap);
	va_end(ap);
	return r;
}

int plan_nomem(struct planner *pl)
{
	return err_sys(pl->e, -ENOMEM, "make the plan of '%s'", pl->o->id);
}

int plan_warn(struct planner *pl, const char *pointer, const char *fmt, ...)
{
	struct plan *p = pl->p;
	const char **w = arena_calloc(pl->a, p->n_warnings + 1, sizeof *w);
	char words[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	if (!w)
		return plan_nomem(pl);
	if (p->n_warnings)
		memcpy(w, p->warnings, p->n_warnings * sizeof *w);
	w[p->n_warnings] = arena_printf(pl->a, "%s: %s", pointer, words);
	if (!w[p->n_warnings])
		return plan_nomem(pl);
	p->warnings = w;
	p->n_warnings++;
	return 0;
}

struct fs_step *plan_step(struct planner *pl, struct step_list *l, enum fs_op op,
			  const char *target, const char *pointer)
{
	struct fs_step *s;

	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 32;

		s = arena_calloc(pl->a, cap, sizeof *s);
		if (!s)
			return NULL;
		if (l->n)
			memcpy(s, l->s, l->n * sizeof *s);
		l->s = s;
		l->cap = cap;
	}
	s = &l->s[l->n++];
	s->op = op;
	s->target = target;
	s->pointer = pointer;
	return s;
}

char *plan_path(struct arena *a, const char *base, const char *path)
{
	char *out = path[0] == '/' ? arena_strdup(a, path) :
				     arena_printf(a, "/%s/%s", base, path);
	size_t to = 0;

	if (!out)
		return NULL;
	for (size_t at = 0; out[at];) {
		size_t n;

		while (out[at] == '/')
			at++;
		n = strcspn(out + at, "/");
		if (n == 2 && out[at] == '.' && out[at + 1] == '.') {
			while (to && out[--to] != '/')
				;
		} else if (n && !(n == 1 && out[at] == '.')) {
			out[to++] = '/';
			memmove(out + to, out + at, n);
			to += n;
		}
		at += n;
	}
	if (!to)
		out[to++] = '/';
	out[to] = '\0';
	return out;
}

int plan_path_below(const char *path, const char *dir)
{
	size_t n = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

	if (strncmp(path, dir, n) != 0 || (path[n] && path[n] != '/'))
		return -1;
	return path[n] && path[n + 1] ? 1 : 0;
}

bool plan_kernel_from(const struct host_facts *f, uint32_t major, uint32_t minor)
{
	return f->kernel_major > major ||
	       (f->kernel_major == major && f->kernel_minor >= minor);
}

const struct plan_id_map *plan_maps(struct planner *pl, const struct spec_id_map *maps, size_t n)
{
	struct plan_id_map *m = arena_calloc(pl->a, n, sizeof *m);

	for (size_t i = 0; m && i < n; i++)
		m[i] = (struct plan_id_map){ maps[i].container_id, maps[i].host_id, maps[i].size };
	return m;
}

bool plan_mapped(const struct plan_id_map *maps, size_t n, uint32_t inside)
{
	for (size_t i = 0; i < n; i++)
		if (inside >= maps[i].inside && inside - maps[i].inside < maps[i].size)
			return true;
	return false;
}

/* ---- namespaces ------------------------------------------------------- */

static void add_join(struct planner *pl, struct plan_join *joins, enum ns_type t)
{
	joins[pl->p->n_joins++] = (struct plan_join){
		namespace_flag(t),
		namespace_name(t),
		pl->s->linux->ns[t].path,
	};
}

/* The user namespace is joined last by those who are root in the one above:
 * only so can they enter namespaces that it does not own. */
static int plan_joins(struct planner *pl)
{
	struct plan_join *joins = arena_calloc(pl->a, NS_COUNT, sizeof *joins);
	const struct spec_namespace *ns = pl->s->linux->ns;
	bool user_last = pl->f->privileged;

	if (!joins)
		return plan_nomem(pl);
	pl->p->joins = joins;
	if (ns[NS_USER].path && !user_last)
		add_join(pl, joins, NS_USER);
	for (int t = 0; t < NS_COUNT; t++)
		if (ns[t].path && t != NS_USER)
			add_join(pl, joins, (enum ns_type)t);
	if (ns[NS_USER].path && user_last)
		add_join(pl, joins, NS_USER);
	return 0;
}

static int plan_user_ns(struct planner *pl)
{
	const struct spec_linux *l = pl->s->linux;
	const struct host_facts *f = pl->f;
	struct plan *p = pl->p;

	p->deny_setgroups = f->setgroups_denied;
	if (!plan_has_ns(pl->s, NS_USER)) {
		if (f->euid != 0 && !f->privileged)
			return plan_bad(pl, "/linux/namespaces",
					"an unprivileged caller needs a user namespace");
		return 0;
	}
	if (!plan_new_ns(pl->s, NS_USER)) { /* joined: it has its maps, in them a root */
		p->root_is_mapped = true;
		return 0;
	}
	p->uid_maps = plan_maps(pl, l->uid_maps, l->n_uid_maps);
	p->gid_maps = plan_maps(pl, l->gid_maps, l->n_gid_maps);
	if (!p->uid_maps || !p->gid_maps)
		return plan_nomem(pl);
	p->n_uid_maps = l->n_uid_maps;
	p->n_gid_maps = l->n_gid_maps;
	p->root_is_mapped = plan_mapped(p->uid_maps, p->n_uid_maps, 0) &&
			    plan_mapped(p->gid_maps, p->n_gid_maps, 0);
	/* Mapping just itself is what the kernel lets anybody do, on condition
	 * that setgroups is given up. Everything else goes through newgidmap. */
	if (f->euid != 0 && !f->privileged && p->n_gid_maps == 1 && p->gid_maps[0].size == 1 &&
	    p->gid_maps[0].outside == f->egid)
		p->deny_setgroups = true;
	return 0;
}

static int plan_time_ns(struct planner *pl)
{
	const struct spec_linux *l = pl->s->linux;
	const struct spec_time_offset *mono = &l->monotonic, *boot = &l->boottime;

	if (plan_has_ns(pl->s, NS_TIME) && !pl->f->has_time_ns)
		return plan_unsupported(pl, "/linux/namespaces",
					"this kernel has no time namespaces");
	if (!mono->present && !boot->present)
		return 0;
	pl->p->time_offsets = arena_printf(pl->a, "monotonic %" PRId64 " %u\nboottime %" PRId64 " %u\n",
					   mono->secs, mono->nanosecs, boot->secs, boot->nanosecs);
	return pl->p->time_offsets ? 0 : plan_nomem(pl);
}

static int plan_namespaces(struct planner *pl)
{
	const struct spec *s = pl->s;
	struct plan *p = pl->p;
	int r;

	for (int t = 0; t < NS_COUNT; t++)
		if (t != NS_CGROUP && plan_new_ns(s, (enum ns_type)t))
			p->new_ns |= (uint64_t)(uint32_t)namespace_flag((enum ns_type)t);
	p->new_cgroup_ns = plan_new_ns(s, NS_CGROUP);
	p->own_user_ns = plan_new_ns(s, NS_USER);
	p->own_mount_ns = plan_has_ns(s, NS_MOUNT);
	p->loopback_up = plan_new_ns(s, NS_NETWORK);
	r = plan_joins(pl);
	if (r >= 0)
		r = plan_user_ns(pl);
	return r < 0 ? r : plan_time_ns(pl);
}

/* ---- the rest of the container ---------------------------------------- */

/* Cache and bandwidth allocation need a resctrl file system, which is a host
 * administrator's decision to have. */
static int plan_rdt(struct planner *pl)
{
	const struct spec_intel_rdt *rdt = pl->s->linux->intel_rdt;

	if (!rdt)
		return 0;
	if (!pl->f->has_resctrl)
		return plan_unsupported(pl, "/linux/intelRdt", "resctrl is not mounted on this host");
	pl->p->rdt_group = rdt->clos_id ? rdt->clos_id : pl->o->id;
	return 0;
}

static int plan_root(struct planner *pl)
{
	const struct spec *s = pl->s;
	unsigned long given = s->linux->rootfs_propagation;
	struct plan *p = pl->p;

	if (str_empty(s->root_path))
		return plan_bad(pl, "/root", "must be there, with a path");
	p->rootfs = plan_path(pl->a, pl->o->bundle, s->root_path);
	if (!p->rootfs)
		return plan_nomem(pl);
	p->no_pivot = pl->o->no_pivot;
	if (p->no_pivot && (given & MS_PRIVATE))
		return plan_bad(pl, "/linux/rootfsPropagation", "private is not safe without pivot_root");
	p->root_propagation = given ? given : MS_SLAVE | MS_REC;
	/* What is unbindable could not become the root by a bind. */
	if (given & MS_UNBINDABLE)
		p->root_propagation = MS_PRIVATE | (given & MS_REC);
	/* Only the root's own mount: the others have what their options say. */
	p->final_propagation = given & ~(unsigned long)MS_REC;
	return 0;
}

/* A container in its caller's mount namespace has nothing of its own to mount
 * on, or to make devices in; runc would mount on the host, and leaves these out. */
static int plan_no_mounts(struct planner *pl)
{
	const struct spec *s = pl->s;
	const char *what = s->n_mounts		      ? "/mounts" :
			   s->linux->n_masked_paths   ? "/linux/maskedPaths" :
			   s->linux->n_readonly_paths ? "/linux/readonlyPaths" :
			   s->root_readonly	      ? "/root/readonly" :
			   s->linux->n_devices	      ? "/linux/devices" :
							NULL;

	if (what)
		return plan_bad(pl, "/linux/namespaces", "%s needs a mount namespace", what);
	return 0;
}

static int plan_file_system(struct planner *pl)
{
	struct plan *p = pl->p;
	int r;

	r = plan_root(pl);
	if (r < 0)
		return r;
	if (!plan_has_ns(pl->s, NS_MOUNT))
		return plan_no_mounts(pl);
	r = plan_mounts(pl);
	if (r >= 0)
		r = plan_devices(pl);
	if (r >= 0)
		r = plan_late(pl);
	p->steps = pl->steps.s;
	p->n_steps = pl->steps.n;
	p->late_steps = pl->late.s;
	p->n_late_steps = pl->late.n;
	return r;
}

static int plan_seccomp(struct planner *pl)
{
	const struct spec_seccomp *sc = pl->s->linux->seccomp;
	uint64_t notify = 0;
	struct plan *p = pl->p;

	if (!sc)
		return 0;
	if (name_value(seccomp_action_names, "SCMP_ACT_NOTIFY", &notify) < 0)
		return 0;
	p->wants_listener = sc->default_action == notify;
	for (size_t i = 0; i < sc->n_syscalls; i++)
		if (sc->syscalls[i].action == notify)
			p->wants_listener = true;
	p->listener_needs_dumpable = p->wants_listener && !pl->f->privileged;
	if (!p->wants_listener)
		return 0;
	p->listener_path = sc->listener_path;
	p->listener_metadata = sc->listener_metadata;
	return 0;
}

static struct plan *plan_new(struct planner *pl, enum plan_kind kind)
{
	struct plan *p = arena_alloc(pl->a, sizeof *p);

	if (!p)
		return NULL;
	p->kind = kind;
	p->id = pl->o->id;
	p->process.ioprio = -1;
	return pl->p = p;
}

int plan_container(struct arena *a, const struct spec *s, const struct host_facts *f,
		   const struct plan_options *o, struct plan **ret, struct err *e)
{
	static int (*const parts[])(struct planner *) = {
		plan_namespaces,
		plan_cgroup_path,
		plan_file_system,
		plan_sysctl,
		plan_rdt,
		plan_seccomp,
	};
	struct planner pl = { .a = a, .s = s, .f = f, .o = o, .e = e };
	const struct spec_hooks *h = &s->hooks;
	int r = 0;

	if (!plan_new(&pl, PLAN_CONTAINER))
		return plan_nomem(&pl);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		r = parts[i](&pl);
		if (r < 0)
			return r;
	}
	if (s->process)
		r = plan_process_of(&pl, s->process, NULL);
	else
		r = plan_bad(&pl, "/process", "must be there");
	if (r < 0)
		return r;
	pl.p->hostname = s->hostname;
	pl.p->domainname = s->domainname;
	pl.p->stop_for_hooks = h->n[HOOK_PRESTART] || h->n[HOOK_CREATE_RUNTIME] ||
			       h->n[HOOK_CREATE_CONTAINER];
	pl.p->stop_for_start_hooks = h->n[HOOK_START_CONTAINER] != 0;
	pl.p->console_in_dev = pl.p->process.terminal && plan_has_ns(s, NS_MOUNT);
	*ret = pl.p;
	return 0;
}

/* The maps are those of the container's own user namespace: for checks only,
 * nothing is written. */
static int plan_exec_user(struct planner *pl)
{
	return plan_has_ns(pl->s, NS_USER) ? plan_user_ns(pl) : 0;
}

int plan_exec(struct arena *a, const struct spec *s, const struct spec_process *proc,
	      const struct host_facts *f, const struct plan_options *o,
	      struct plan **ret, struct err *e)
{
	struct planner pl = { .a = a, .s = s, .f = f, .o = o, .e = e };
	int r;

	if (!plan_new(&pl, PLAN_EXEC))
		return plan_nomem(&pl);
	r = plan_exec_user(&pl);
	if (r >= 0)
		r = plan_cgroup_path(&pl);
	if (r >= 0)
		r = plan_seccomp(&pl);
	if (r >= 0)
		r = plan_process_of(&pl, proc, s->process);
	if (r < 0)
		return r;
	*ret = pl.p;
	return 0;
}
