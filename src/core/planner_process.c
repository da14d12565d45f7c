/*
 * The process of a plan: the container's first one, or another one (exec),
 * which takes from the first what its own description leaves out, as in runc.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>

#include "names.h"
#include "planner_parts.h"
#include "str.h"

/* ---- environment ------------------------------------------------------ */

static size_t name_len(const char *pair)
{
	return strcspn(pair, "=");
}

static uint64_t name_hash(const char *s, size_t n)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 1099511628211u;
	return h;
}

struct env {
	char **list;
	size_t n;
	size_t *slots, mask; /* index into list + 1 by hash of the name; 0: free */
};

/* The slot of a name, or the free one where it belongs. */
static size_t *env_slot(struct env *env, const char *pair)
{
	size_t n = name_len(pair), at = (size_t)name_hash(pair, n) & env->mask;

	for (;; at = (at + 1) & env->mask) {
		const char *have;

		if (!env->slots[at])
			return &env->slots[at];
		have = env->list[env->slots[at] - 1];
		if (name_len(have) == n && memcmp(have, pair, n) == 0)
			return &env->slots[at];
	}
}

static const char *env_get(struct env *env, const char *name)
{
	size_t at = *env_slot(env, name);

	return at ? env->list[at - 1] + name_len(name) + 1 : NULL;
}

/* Of two values the later one counts, in the place of the first. */
static int env_make(struct planner *pl, const struct spec_process *proc, struct env *env)
{
	size_t slots = 8;

	while (slots < 2 * proc->n_env + 2)
		slots *= 2;
	env->mask = slots - 1;
	env->slots = arena_calloc(pl->a, slots, sizeof *env->slots);
	env->list = arena_calloc(pl->a, proc->n_env + 2, sizeof *env->list);
	if (!env->slots || !env->list)
		return plan_nomem(pl);
	for (size_t i = 0; i < proc->n_env; i++) {
		char *pair = proc->env[i];
		size_t *slot;

		if (pair[0] == '=' || !pair[name_len(pair)]) {
			const char *at = arena_printf(pl->a, "/process/env/%zu", i);

			return plan_bad(pl, at ? at : "/process/env",
					"'%s' is no environment variable: it must read NAME=VALUE", pair);
		}
		slot = env_slot(env, pair);
		if (!*slot)
			*slot = ++env->n;
		env->list[*slot - 1] = pair;
	}
	return 0;
}

/* HOME counts as absent when it is empty. */
static void env_drop_home(struct env *env)
{
	size_t to = 0;

	for (size_t i = 0; i < env->n; i++)
		if (!str_starts(env->list[i], "HOME="))
			env->list[to++] = env->list[i];
	env->list[to] = NULL;
	env->n = to;
}

static int plan_env(struct planner *pl, const struct spec_process *proc)
{
	struct plan_process *pr = &pl->p->process;
	struct env env = { 0 };
	int r;

	r = env_make(pl, proc, &env);
	if (r < 0)
		return r;
	if (!strchr(pr->argv[0], '/') && !pr->builtin_init) {
		pr->path = env_get(&env, "PATH");
		if (!pr->path)
			pr->path = ""; /* nowhere to search: not found */
	}
	pr->need_home = str_empty(env_get(&env, "HOME"));
	if (pr->need_home)
		env_drop_home(&env);
	pr->env = env.list;
	pr->n_env = env.n;
	return 0;
}

/* ---- identity --------------------------------------------------------- */

static int check_mapped(struct planner *pl, const struct spec_user *u)
{
	const struct plan *p = pl->p;

	if (!plan_mapped(p->uid_maps, p->n_uid_maps, u->uid))
		return plan_bad(pl, "/process/user/uid", "%u has no mapping in the user namespace", u->uid);
	if (!plan_mapped(p->gid_maps, p->n_gid_maps, u->gid))
		return plan_bad(pl, "/process/user/gid", "%u has no mapping in the user namespace", u->gid);
	if (u->n_additional_gids && p->deny_setgroups)
		return plan_bad(pl, "/process/user/additionalGids",
				"a user namespace with one id map of the caller's own cannot have them");
	for (size_t i = 0; i < u->n_additional_gids; i++)
		if (!plan_mapped(p->gid_maps, p->n_gid_maps, u->additional_gids[i]))
			return plan_bad(pl, "/process/user/additionalGids",
					"%u has no mapping in the user namespace", u->additional_gids[i]);
	return 0;
}

/* To the kernel (uid_t)-1 means "as it is": the process would stay root. */
static int check_id(struct planner *pl, const char *pointer, uint32_t id)
{
	return id == UINT32_MAX ? plan_bad(pl, pointer, "must be at most %u", UINT32_MAX - 1) : 0;
}

static int check_ids(struct planner *pl, const struct spec_user *u)
{
	int r = check_id(pl, "/process/user/uid", u->uid);

	if (r >= 0)
		r = check_id(pl, "/process/user/gid", u->gid);
	for (size_t i = 0; r >= 0 && i < u->n_additional_gids; i++)
		r = check_id(pl, "/process/user/additionalGids", u->additional_gids[i]);
	return r < 0 || !pl->p->n_uid_maps ? r : check_mapped(pl, u);
}

static int plan_user(struct planner *pl, const struct spec_process *proc,
		     const struct spec_process *other)
{
	const struct spec_user *u = &proc->user;
	struct plan_process *pr = &pl->p->process;
	gid_t *groups = NULL;
	int r = check_ids(pl, u);

	if (r < 0)
		return r;
	pr->uid = u->uid;
	pr->gid = u->gid;
	if (u->n_additional_gids) {
		groups = arena_calloc(pl->a, u->n_additional_gids, sizeof *groups);
		if (!groups)
			return plan_nomem(pl);
		for (size_t i = 0; i < u->n_additional_gids; i++)
			groups[i] = u->additional_gids[i];
	}
	pr->groups = groups;
	pr->n_groups = u->n_additional_gids;
	if (!u->has_umask && other)
		u = &other->user;
	pr->has_umask = u->has_umask;
	pr->umask = u->umask & 0777;
	return 0;
}

/* What this kernel does not know, or the caller does not have, is left out with
 * a warning, as the OCI specification wants it. */
static int possible_caps(struct planner *pl, uint64_t *set, const char *pointer)
{
	uint32_t last = pl->f->last_cap;
	uint64_t known = last >= 63 ? UINT64_MAX : (1ull << (last + 1)) - 1;
	uint64_t missing = plan_has_ns(pl->s, NS_USER) ? 0 : pl->f->missing_caps;

	for (uint32_t cap = 0; cap < 64; cap++) {
		const char *name;
		int r;

		if (!((*set & (missing | ~known)) >> cap & 1))
			continue;
		name = name_of(capability_names, cap);
		r = plan_warn(pl, pointer, "%s %s", name ? name : "a capability",
			      cap > last ? "is unknown to this kernel" : "cannot be granted");
		if (r < 0)
			return r;
	}
	*set &= known & ~missing;
	return 0;
}

/* An ambient capability that is not also inheritable cannot be had, which runc
 * (whose own default specification asks for it) passes over. */
static int plan_caps(struct planner *pl, const struct spec_caps *c)
{
	struct plan_caps *out = &pl->p->process.caps;
	struct {
		uint64_t *set;
		enum cap_set which;
		const char *pointer;
	} sets[] = {
		{ &out->bounding, CAP_SET_BOUNDING, "/process/capabilities/bounding" },
		{ &out->effective, CAP_SET_EFFECTIVE, "/process/capabilities/effective" },
		{ &out->inheritable, CAP_SET_INHERITABLE, "/process/capabilities/inheritable" },
		{ &out->permitted, CAP_SET_PERMITTED, "/process/capabilities/permitted" },
		{ &out->ambient, CAP_SET_AMBIENT, "/process/capabilities/ambient" },
	};
	uint64_t extra;

	pl->p->process.last_cap = pl->f->last_cap;
	if (!c)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		int r;

		*sets[i].set = c->set[sets[i].which];
		r = possible_caps(pl, sets[i].set, sets[i].pointer);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < c->n_unknown; i++) {
		int r = plan_warn(pl, "/process/capabilities", "unknown capability '%s'", c->unknown[i]);

		if (r < 0)
			return r;
	}
	extra = out->effective & ~out->permitted;
	if (extra) {
		const char *name = name_of(capability_names, (uint64_t)__builtin_ctzll(extra));

		return plan_bad(pl, "/process/capabilities/effective",
				"%s is not in the permitted set", name ? name : "a capability");
	}
	out->ambient &= out->permitted & out->inheritable;
	return 0;
}

static int plan_labels(struct planner *pl, const struct spec_process *proc,
		       const struct spec_process *other)
{
	const char *apparmor = proc->apparmor_profile, *selinux = proc->selinux_label;

	if (str_empty(apparmor) && other)
		apparmor = other->apparmor_profile;
	if (str_empty(selinux) && other)
		selinux = other->selinux_label;
	if (!str_empty(apparmor)) {
		if (!pl->f->has_apparmor)
			return plan_unsupported(pl, "/process/apparmorProfile",
						"AppArmor is not enabled on this host");
		pl->p->process.apparmor = apparmor;
	}
	if (!str_empty(selinux)) {
		if (!pl->f->has_selinux)
			return plan_unsupported(pl, "/process/selinuxLabel",
						"SELinux is not enabled on this host");
		pl->p->process.selinux = selinux;
	}
	return 0;
}

/* ---- limits ----------------------------------------------------------- */

static int plan_limits(struct planner *pl, const struct spec_process *proc,
		       const struct spec_process *other)
{
	struct plan_process *pr = &pl->p->process;
	const struct spec_process *from = !proc->n_rlimits && other ? other : proc;
	struct plan_rlimit *lim = arena_calloc(pl->a, from->n_rlimits, sizeof *lim);

	if (!lim)
		return plan_nomem(pl);
	for (size_t i = 0; i < from->n_rlimits; i++) {
		const struct spec_rlimit *l = &from->rlimits[i];

		lim[i] = (struct plan_rlimit){ l->resource, name_of(rlimit_names, (uint64_t)l->resource),
					       l->soft, l->hard };
	}
	pr->rlimits = lim;
	pr->n_rlimits = from->n_rlimits;

	from = !proc->has_oom_score_adj && other ? other : proc;
	pr->has_oom_score_adj = from->has_oom_score_adj;
	pr->oom_score_adj = from->oom_score_adj;
	return 0;
}

static int plan_scheduler_of(struct planner *pl, const struct spec_scheduler *from)
{
	struct plan_scheduler *s;

	if (!from)
		return 0;
	s = arena_alloc(pl->a, sizeof *s);
	if (!s)
		return plan_nomem(pl);
	s->size = sizeof *s;
	s->policy = (uint32_t)from->policy;
	s->flags = from->flags;
	s->nice = from->nice;
	s->priority = (uint32_t)from->priority;
	s->runtime = from->runtime;
	s->deadline = from->deadline;
	s->period = from->period;
	pl->p->process.scheduler = s;
	return 0;
}

static int plan_scheduling(struct planner *pl, const struct spec_process *proc,
			   const struct spec_process *other)
{
	struct plan_process *pr = &pl->p->process;
	const struct spec_io_priority *io = proc->io_priority;
	const struct spec_scheduler *scheduler = proc->scheduler;

	if (!scheduler && other)
		scheduler = other->scheduler;
	if (!io && other)
		io = other->io_priority;
	if (io)
		pr->ioprio = io->class << 13 | io->priority;
	pr->affinity_initial = proc->cpu_affinity_initial;
	pr->affinity_final = proc->cpu_affinity_final;
	return plan_scheduler_of(pl, scheduler);
}

static int plan_args(struct planner *pl, const struct spec_process *proc)
{
	struct plan_process *pr = &pl->p->process;

	if (!proc->n_args)
		return plan_bad(pl, "/process/args", "must not be empty");
	if (str_empty(proc->args[0]))
		return plan_bad(pl, "/process/args/0", "must not be empty");
	if (str_empty(proc->cwd) || proc->cwd[0] != '/')
		return plan_bad(pl, "/process/cwd", "must be an absolute path");
	pr->argv = proc->args;
	pr->builtin_init = pl->p->kind == PLAN_CONTAINER && pl->s->builtin_init;
	pr->cwd = proc->cwd;
	pr->make_cwd = pl->p->kind == PLAN_CONTAINER;
	return 0;
}

static int plan_settings(struct planner *pl, const struct spec_process *proc)
{
	const struct spec_linux *l = pl->s->linux;
	struct plan_process *pr = &pl->p->process;

	pr->no_new_privs = proc->no_new_privileges;
	pr->terminal = proc->terminal;
	if (proc->terminal && proc->has_console_size) {
		pr->rows = proc->console_height;
		pr->cols = proc->console_width;
	}
	pr->preserve_fds = pl->o->preserve_fds;
	pr->has_filter = l->seccomp != NULL;
	if (l->personality) {
		pr->has_personality = true;
		pr->personality = l->personality->domain;
	}
	if (pl->o->no_new_keyring)
		return 0;
	pr->keyring = arena_printf(pl->a, "_ses.%s", pl->o->id);
	return pr->keyring ? 0 : plan_nomem(pl);
}

int plan_process_of(struct planner *pl, const struct spec_process *proc,
		    const struct spec_process *other)
{
	const struct spec_caps *caps = proc->capabilities;
	int r;

	if (!caps && other)
		caps = other->capabilities;
	r = plan_args(pl, proc);
	if (r >= 0)
		r = plan_env(pl, proc);
	if (r >= 0)
		r = plan_user(pl, proc, other);
	if (r >= 0)
		r = plan_caps(pl, caps);
	if (r >= 0)
		r = plan_labels(pl, proc, other);
	if (r >= 0)
		r = plan_limits(pl, proc, other);
	if (r >= 0)
		r = plan_scheduling(pl, proc, other);
	return r < 0 ? r : plan_settings(pl, proc);
}
