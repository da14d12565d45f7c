/*
 * A plan as text: one line for every decision, in the order in which they are
 * carried out. Golden files hold it, so a change here is a change there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "plan.h"
#include "plan_words.h"
#include "planner.h"
#include "str.h"

/* Text of a specification: a line stays a line, a terminal is not spoken to. */
static void put(struct sb *b, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == 0x7f)
			sb_printf(b, "\\x%02x", c);
		else
			sb_putc(b, *s);
	}
}

static void line(struct sb *b, const char *key, const char *value)
{
	sb_printf(b, "%s: ", key);
	put(b, value);
	sb_putc(b, '\n');
}

static void quoted(struct sb *b, const char *s)
{
	sb_putc(b, '\'');
	put(b, s);
	sb_putc(b, '\'');
}

/* ---- steps ------------------------------------------------------------ */

static void maps(struct sb *b, const char *what, const struct plan_id_map *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sb_printf(b, ", %s %u-%u is %u-%u", what, m[i].inside,
			  m[i].inside + (m[i].size - 1), m[i].outside,
			  m[i].outside + (m[i].size - 1));
}

static void step_idmap(struct sb *b, const struct fs_step *s)
{
	if (!s->idmap)
		return;
	sb_puts(b, s->idmap_recursive ? ", id-mapped with all below" : ", id-mapped");
	if (!s->n_uid_maps)
		sb_puts(b, " as the container");
	maps(b, "uid", s->uid_maps, s->n_uid_maps);
	maps(b, "gid", s->gid_maps, s->n_gid_maps);
}

static void step_node(struct sb *b, const struct fs_step *s)
{
	char type = S_ISBLK(s->mode) ? 'b' : S_ISFIFO(s->mode) ? 'p' :
								 'c';

	sb_printf(b, ", %c", type);
	if (type != 'p')
		sb_printf(b, " %u:%u", major(s->dev), minor(s->dev));
	sb_printf(b, ", mode %04o", (unsigned)s->mode & 07777);
	if (s->uid || s->gid)
		sb_printf(b, ", owner %u:%u", s->uid, s->gid);
}

static void step_notes(struct sb *b, const struct fs_step *s)
{
#define X(member, key, words) \
	if (s->member)        \
		sb_puts(b, ", " words);
	FS_STEP_NOTES(X)
#undef X
	if (s->op == FS_SYMLINK && !s->skip_exists)
		sb_puts(b, ", replacing what is there");
}

static void step(struct sb *b, const char *kind, const struct fs_step *s)
{
	const char *options[PLAN_MAX_OPTIONS];
	char words[9000];
	size_t n;

	sb_printf(b, "%s: ", kind);
	put(b, plan_step_words(s, words, sizeof words));
	if (s->op == FS_MOUNT && s->source && !str_eq(s->source, s->fstype)) {
		sb_puts(b, ", source ");
		quoted(b, s->source);
	}
	if (s->fallback) {
		sb_puts(b, ", else ");
		quoted(b, s->fallback);
	}
	if (s->op == FS_NODE)
		step_node(b, s);
	n = plan_step_options(s, options);
	for (size_t i = 0; i < n; i++)
		if (s->op != FS_REMOUNT || !str_eq(options[i], "ro")) /* the words say it */
			sb_printf(b, ", %s", options[i]);
	if (!str_empty(s->data)) {
		sb_puts(b, ", data ");
		quoted(b, s->data);
	}
	step_notes(b, s);
	step_idmap(b, s);
	if (s->pointer) {
		sb_puts(b, " [");
		put(b, s->pointer);
		sb_putc(b, ']');
	}
	sb_putc(b, '\n');
}

/* ---- the container ---------------------------------------------------- */

static void id_maps(struct sb *b, const char *key, const struct plan_id_map *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sb_printf(b, "%s: %u on the host is %u, %u ids\n", key, m[i].outside, m[i].inside,
			  m[i].size);
}

static void namespaces(struct sb *b, const struct plan *p)
{
	const char *name;

	sb_puts(b, "new namespaces:");
	if (!plan_new_ns_name(p, 0))
		sb_puts(b, " none");
	for (size_t i = 0; (name = plan_new_ns_name(p, i)); i++)
		sb_printf(b, " %s", name);
	sb_putc(b, '\n');
	for (size_t i = 0; i < p->n_joins; i++) {
		sb_printf(b, "join namespace: %s ", p->joins[i].name);
		quoted(b, p->joins[i].path);
		sb_putc(b, '\n');
	}
	id_maps(b, "uid map", p->uid_maps, p->n_uid_maps);
	id_maps(b, "gid map", p->gid_maps, p->n_gid_maps);
	if (p->own_user_ns && !p->root_is_mapped)
		sb_puts(b, "root: has no mapping\n");
	if (p->deny_setgroups)
		sb_puts(b, "setgroups: denied\n");
	if (p->time_offsets) {
		int first = (int)strcspn(p->time_offsets, "\n");

		sb_printf(b, "time offsets: %.*s, %s", first, p->time_offsets,
			  p->time_offsets + first + 1);
	}
	if (p->loopback_up)
		sb_puts(b, "loopback: up\n");
}

static void file_system(struct sb *b, const struct plan *p)
{
	if (!p->rootfs)
		return;
	line(b, "root file system", p->rootfs);
	if (p->own_mount_ns)
		line(b, "propagation of /", plan_propagation_name(p->root_propagation));
	for (size_t i = 0; i < p->n_steps; i++)
		step(b, "step", &p->steps[i]);
	if (p->stop_for_hooks)
		sb_puts(b, "hooks: prestart, createRuntime, createContainer\n");
	for (size_t i = 0; i < p->n_late_steps; i++)
		step(b, "late step", &p->late_steps[i]);
	line(b, "enter the root by", !p->own_mount_ns ? "chroot" : p->no_pivot ? "moving its mount" :
										 "pivot_root");
	if (p->own_mount_ns && p->final_propagation)
		line(b, "propagation of the root file system", plan_propagation_name(p->final_propagation));
}

static void settings(struct sb *b, const struct plan *p)
{
	if (p->hostname)
		line(b, "hostname", p->hostname);
	if (p->domainname)
		line(b, "domain name", p->domainname);
	for (size_t i = 0; i < p->n_sysctl; i++) {
		sb_puts(b, "sysctl: ");
		put(b, p->sysctl[i].key);
		sb_puts(b, " = ");
		quoted(b, p->sysctl[i].value);
		sb_putc(b, '\n');
	}
}

/* ---- the process ------------------------------------------------------ */

static void identity(struct sb *b, const struct plan_process *pr)
{
	sb_printf(b, "user: uid %u, gid %u", pr->uid, pr->gid);
	for (size_t i = 0; i < pr->n_groups; i++)
		sb_printf(b, "%s%u", i ? " " : ", groups ", pr->groups[i]);
	if (pr->has_umask)
		sb_printf(b, ", umask %04o", (unsigned)pr->umask);
	sb_putc(b, '\n');
}

static void capabilities(struct sb *b, const struct plan_caps *c)
{
	for (const struct plan_cap_set *s = plan_cap_sets; s->name; s++) {
		uint64_t set = plan_caps_of(c, s);

		sb_printf(b, "capabilities %s:%s", s->name, set ? "" : " none");
		for (int cap = 0; cap < 64; cap++)
			if (set >> cap & 1) {
				const char *name = name_of(capability_names, (uint64_t)cap);

				if (name)
					sb_printf(b, " %s", name);
				else
					sb_printf(b, " %d", cap);
			}
		sb_putc(b, '\n');
	}
}

static void limit_value(struct sb *b, const char *what, uint64_t v)
{
	if (v == UINT64_MAX)
		sb_printf(b, " %s unlimited", what);
	else
		sb_printf(b, " %s %" PRIu64, what, v);
}

static void scheduling(struct sb *b, const struct plan_process *pr)
{
	const struct plan_scheduler *s = pr->scheduler;
	const char *name;

	if (s) {
		name = name_of(scheduler_policy_names, s->policy);
		sb_printf(b, "scheduler: %s, nice %d, priority %u", name ? name : "?", s->nice,
			  s->priority);
		if (s->runtime || s->deadline || s->period)
			sb_printf(b, ", runtime %" PRIu64 ", deadline %" PRIu64 ", period %" PRIu64,
				  s->runtime, s->deadline, s->period);
		if (s->flags)
			sb_printf(b, ", flags %#" PRIx64, s->flags);
		sb_putc(b, '\n');
	}
	if (pr->ioprio >= 0) {
		name = name_of(ioprio_class_names, (uint64_t)pr->ioprio >> 13);
		sb_printf(b, "I/O priority: %s %d\n", name ? name : "?", pr->ioprio & 0x1fff);
	}
	if (pr->affinity_initial)
		line(b, "CPUs at first", pr->affinity_initial);
	if (pr->affinity_final)
		line(b, "CPUs", pr->affinity_final);
}

static void limits(struct sb *b, const struct plan_process *pr)
{
	for (size_t i = 0; i < pr->n_rlimits; i++) {
		const struct plan_rlimit *l = &pr->rlimits[i];

		sb_printf(b, "rlimit: %s", l->name ? l->name : "?");
		limit_value(b, "soft", l->soft);
		limit_value(b, "hard", l->hard);
		sb_putc(b, '\n');
	}
	if (pr->has_oom_score_adj)
		sb_printf(b, "oom_score_adj: %d\n", pr->oom_score_adj);
	scheduling(b, pr);
}

static void confinement(struct sb *b, const struct plan *p)
{
	const struct plan_process *pr = &p->process;

	capabilities(b, &pr->caps);
	if (pr->no_new_privs)
		sb_puts(b, "no_new_privs: yes\n");
	if (pr->apparmor)
		line(b, "AppArmor profile", pr->apparmor);
	if (pr->selinux)
		line(b, "SELinux label", pr->selinux);
	if (pr->has_filter)
		sb_puts(b, "seccomp: filter\n");
	if (p->wants_listener)
		line(b, "seccomp listener", p->listener_path);
	if (pr->keyring)
		line(b, "session keyring", pr->keyring);
}

static void program(struct sb *b, const struct plan *p)
{
	const struct plan_process *pr = &p->process;

	if (pr->has_personality) {
		const char *name = name_of(personality_names, pr->personality);

		line(b, "personality", name ? name : "?");
	}
	if (pr->terminal) {
		sb_puts(b, "terminal: yes");
		if (pr->rows || pr->cols)
			sb_printf(b, ", %u rows, %u columns", pr->rows, pr->cols);
		sb_puts(b, p->console_in_dev ? ", as /dev/console\n" : "\n");
	}
	if (pr->preserve_fds)
		sb_printf(b, "file descriptors kept: 3-%" PRIu64 "\n", 2 + (uint64_t)pr->preserve_fds);
	sb_puts(b, "working directory: ");
	put(b, pr->cwd);
	sb_puts(b, pr->make_cwd ? ", made if absent\n" : "\n");
	for (size_t i = 0; i < pr->n_env; i++)
		line(b, "env", pr->env[i]);
	if (pr->need_home)
		sb_puts(b, "env: HOME from /etc/passwd\n");
	if (pr->path) {
		sb_puts(b, "search: ");
		quoted(b, pr->argv[0]);
		sb_puts(b, " in ");
		quoted(b, pr->path);
		sb_putc(b, '\n');
	}
	if (p->stop_for_start_hooks)
		sb_puts(b, "hooks: startContainer\n");
	sb_puts(b, pr->builtin_init ? "execute: berth's own init, called" : "execute:");
	for (char *const *arg = pr->argv; *arg; arg++) {
		sb_putc(b, ' ');
		quoted(b, *arg);
	}
	sb_putc(b, '\n');
}

void plan_print(const struct plan *p, struct sb *out)
{
	line(out, p->kind == PLAN_EXEC ? "process in" : "container", p->id);
	for (size_t i = 0; i < p->n_warnings; i++)
		line(out, "warning", p->warnings[i]);
	line(out, "cgroup", p->cgroup_path ? p->cgroup_path : "none");
	if (p->rdt_group)
		line(out, "resctrl group", p->rdt_group);
	if (p->cgroup_path && p->systemd_cgroup)
		sb_puts(out, "cgroup driver: systemd\n");
	limits(out, &p->process);
	if (p->kind == PLAN_CONTAINER)
		namespaces(out, p);
	file_system(out, p);
	settings(out, p);
	identity(out, &p->process);
	confinement(out, p);
	program(out, p);
}
