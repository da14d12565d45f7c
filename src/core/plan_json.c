/* A plan as JSON: the text form's decisions, for programs. */
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "json.h"
#include "plan.h"
#include "plan_words.h"
#include "planner.h"
#include "str.h"

static void opt_str(struct jw *w, const char *key, const char *s)
{
	if (s)
		jw_kstr(w, key, s);
}

static void opt_true(struct jw *w, const char *key, bool on)
{
	if (on)
		jw_kbool(w, key, true);
}

static void step_options(struct jw *w, const struct fs_step *s)
{
	const char *names[PLAN_MAX_OPTIONS];
	size_t n = plan_step_options(s, names);

	if (!n)
		return;
	jw_kbegin(w, "options", '[');
	for (size_t i = 0; i < n; i++)
		jw_str(w, names[i]);
	jw_end(w);
}

static void maps(struct jw *w, const char *key, const struct plan_id_map *m, size_t n)
{
	if (!n)
		return;
	jw_kbegin(w, key, '[');
	for (size_t i = 0; i < n; i++) {
		jw_begin(w, '{');
		jw_kuint(w, "containerID", m[i].inside);
		jw_kuint(w, "hostID", m[i].outside);
		jw_kuint(w, "size", m[i].size);
		jw_end(w);
	}
	jw_end(w);
}

static void step_node(struct jw *w, const struct fs_step *s)
{
	jw_kstr(w, "type", S_ISBLK(s->mode) ? "b" : S_ISFIFO(s->mode) ? "p" :
									"c");
	if (!S_ISFIFO(s->mode)) {
		jw_kuint(w, "major", major(s->dev));
		jw_kuint(w, "minor", minor(s->dev));
	}
	jw_kuint(w, "fileMode", s->mode & 07777);
	jw_kuint(w, "uid", s->uid);
	jw_kuint(w, "gid", s->gid);
}

static void step(struct jw *w, const struct fs_step *s)
{
	jw_begin(w, '{');
	jw_kstr(w, "op", plan_op_name((int)s->op));
	jw_kstr(w, "target", s->target);
	opt_str(w, "source", s->source);
	opt_str(w, "fallback", s->fallback);
	opt_str(w, "type", s->op == FS_MOUNT ? s->fstype : NULL);
	if (s->op == FS_NODE)
		step_node(w, s);
	step_options(w, s);
	opt_str(w, "data", s->data);
#define X(member, key, words) opt_true(w, key, s->member);
	FS_STEP_NOTES(X)
#undef X
	opt_true(w, "idmap", s->idmap);
	opt_true(w, "idmapRecursive", s->idmap_recursive);
	maps(w, "uidMappings", s->uid_maps, s->n_uid_maps);
	maps(w, "gidMappings", s->gid_maps, s->n_gid_maps);
	opt_str(w, "pointer", s->pointer);
	jw_end(w);
}

static void steps(struct jw *w, const char *key, const struct fs_step *s, size_t n)
{
	jw_kbegin(w, key, '[');
	for (size_t i = 0; i < n; i++)
		step(w, &s[i]);
	jw_end(w);
}

static void namespaces(struct jw *w, const struct plan *p)
{
	const char *name;

	jw_kbegin(w, "namespaces", '[');
	for (size_t i = 0; (name = plan_new_ns_name(p, i)); i++) {
		jw_begin(w, '{');
		jw_kstr(w, "type", name);
		jw_end(w);
	}
	for (size_t i = 0; i < p->n_joins; i++) {
		jw_begin(w, '{');
		jw_kstr(w, "type", p->joins[i].name);
		jw_kstr(w, "path", p->joins[i].path);
		jw_end(w);
	}
	jw_end(w);
	maps(w, "uidMappings", p->uid_maps, p->n_uid_maps);
	maps(w, "gidMappings", p->gid_maps, p->n_gid_maps);
	opt_true(w, "denySetgroups", p->deny_setgroups);
	opt_str(w, "timeOffsets", p->time_offsets);
	opt_true(w, "loopbackUp", p->loopback_up);
}

static void opt_propagation(struct jw *w, const char *key, unsigned long flags)
{
	if (flags)
		jw_kstr(w, key, plan_propagation_name(flags));
}

static void file_system(struct jw *w, const struct plan *p)
{
	if (!p->rootfs)
		return;
	jw_kstr(w, "rootfs", p->rootfs);
	opt_propagation(w, "rootPropagation", p->root_propagation);
	opt_propagation(w, "finalPropagation", p->final_propagation);
	jw_kbool(w, "pivotRoot", p->own_mount_ns && !p->no_pivot);
	steps(w, "steps", p->steps, p->n_steps);
	steps(w, "lateSteps", p->late_steps, p->n_late_steps);
}

static void settings(struct jw *w, const struct plan *p)
{
	opt_str(w, "hostname", p->hostname);
	opt_str(w, "domainname", p->domainname);
	jw_kbegin(w, "sysctl", '{');
	for (size_t i = 0; i < p->n_sysctl; i++)
		jw_kstr(w, p->sysctl[i].key, p->sysctl[i].value);
	jw_end(w);
	jw_kbegin(w, "hooks", '{');
	jw_kbool(w, "beforePivot", p->stop_for_hooks);
	jw_kbool(w, "beforeExec", p->stop_for_start_hooks);
	jw_end(w);
}

static void user(struct jw *w, const struct plan_process *pr)
{
	jw_kbegin(w, "user", '{');
	jw_kuint(w, "uid", pr->uid);
	jw_kuint(w, "gid", pr->gid);
	if (pr->has_umask)
		jw_kuint(w, "umask", pr->umask);
	jw_kbegin(w, "additionalGids", '[');
	for (size_t i = 0; i < pr->n_groups; i++)
		jw_uint(w, pr->groups[i]);
	jw_end(w);
	jw_end(w);
}

static void capabilities(struct jw *w, const struct plan_caps *c)
{
	jw_kbegin(w, "capabilities", '{');
	for (const struct plan_cap_set *s = plan_cap_sets; s->name; s++) {
		uint64_t set = plan_caps_of(c, s);

		jw_kbegin(w, s->name, '[');
		for (int cap = 0; cap < 64; cap++)
			if (set >> cap & 1)
				jw_str(w, name_of(capability_names, (uint64_t)cap));
		jw_end(w);
	}
	jw_end(w);
}

static void scheduling(struct jw *w, const struct plan_process *pr)
{
	const struct plan_scheduler *s = pr->scheduler;

	if (s) {
		jw_kbegin(w, "scheduler", '{');
		jw_kstr(w, "policy", name_of(scheduler_policy_names, s->policy));
		jw_kint(w, "nice", s->nice);
		jw_kuint(w, "priority", s->priority);
		jw_kuint(w, "runtime", s->runtime);
		jw_kuint(w, "deadline", s->deadline);
		jw_kuint(w, "period", s->period);
		jw_kuint(w, "flags", s->flags);
		jw_end(w);
	}
	if (pr->ioprio >= 0) {
		jw_kbegin(w, "ioPriority", '{');
		jw_kstr(w, "class", name_of(ioprio_class_names, (uint64_t)pr->ioprio >> 13));
		jw_kint(w, "priority", pr->ioprio & 0x1fff);
		jw_end(w);
	}
	opt_str(w, "cpuAffinityInitial", pr->affinity_initial);
	opt_str(w, "cpuAffinityFinal", pr->affinity_final);
}

static void limits(struct jw *w, const struct plan_process *pr)
{
	jw_kbegin(w, "rlimits", '[');
	for (size_t i = 0; i < pr->n_rlimits; i++) {
		jw_begin(w, '{');
		jw_kstr(w, "type", pr->rlimits[i].name);
		jw_kuint(w, "soft", pr->rlimits[i].soft);
		jw_kuint(w, "hard", pr->rlimits[i].hard);
		jw_end(w);
	}
	jw_end(w);
	if (pr->has_oom_score_adj)
		jw_kint(w, "oomScoreAdj", pr->oom_score_adj);
	scheduling(w, pr);
}

static void process(struct jw *w, const struct plan *p)
{
	const struct plan_process *pr = &p->process;

	jw_kbegin(w, "process", '{');
	jw_kbegin(w, "args", '[');
	for (char *const *arg = pr->argv; *arg; arg++)
		jw_str(w, *arg);
	jw_end(w);
	opt_true(w, "builtinInit", pr->builtin_init);
	jw_kstrs(w, "env", pr->env, pr->n_env);
	jw_kbool(w, "homeFromPasswd", pr->need_home);
	opt_str(w, "searchPath", pr->path);
	jw_kstr(w, "cwd", pr->cwd);
	user(w, pr);
	capabilities(w, &pr->caps);
	limits(w, pr);
	jw_kbool(w, "noNewPrivileges", pr->no_new_privs);
	opt_str(w, "apparmorProfile", pr->apparmor);
	opt_str(w, "selinuxLabel", pr->selinux);
	jw_kbool(w, "seccomp", pr->has_filter);
	opt_str(w, "seccompListener", p->wants_listener ? p->listener_path : NULL);
	opt_str(w, "keyring", pr->keyring);
	if (pr->has_personality)
		jw_kstr(w, "personality", name_of(personality_names, pr->personality));
	jw_kbool(w, "terminal", pr->terminal);
	if (pr->rows || pr->cols) {
		jw_kuint(w, "rows", pr->rows);
		jw_kuint(w, "columns", pr->cols);
	}
	jw_kuint(w, "preserveFds", pr->preserve_fds);
	jw_end(w);
}

void plan_print_json(const struct plan *p, struct sb *out)
{
	struct jw w;

	jw_init(&w, out, "  ");
	jw_begin(&w, '{');
	jw_kstr(&w, "kind", p->kind == PLAN_EXEC ? "exec" : "container");
	jw_kstr(&w, "id", p->id);
	jw_kbegin(&w, "warnings", '[');
	for (size_t i = 0; i < p->n_warnings; i++)
		jw_str(&w, p->warnings[i]);
	jw_end(&w);
	opt_str(&w, "cgroup", p->cgroup_path);
	opt_str(&w, "resctrlGroup", p->rdt_group);
	opt_true(&w, "systemdCgroup", p->systemd_cgroup);
	if (p->kind == PLAN_CONTAINER)
		namespaces(&w, p);
	file_system(&w, p);
	settings(&w, p);
	process(&w, p);
	jw_end(&w);
	sb_putc(out, '\n');
}
