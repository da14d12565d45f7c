/* create and run: from a specification to a process that waits (or runs). Each
 * step that has an effect is followed by its line in undo(). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "builtin_init.h"
#include "cgroup.h"
#include "cgroup_systemd.h"
#include "clock.h"
#include "container.h"
#include "container_priv.h"
#include "dir.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "hooks.h"
#include "mem.h"
#include "names.h"
#include "plan.h"
#include "planner.h"
#include "proc.h"
#include "rdt.h"
#include "record.h"
#include "seccomp_filter.h"
#include "spec.h"
#include "str.h"
#include "sys.h"
#include "texts.h"

enum { UNDO_MS = 10 * 1000 };

/* One creation in progress. */
struct creation {
	struct core *c;
	const struct create_options *o;
	struct host_facts facts;
	struct plan *plan;
	struct record rec;
	struct stop_ctx stop;
	struct launch launch;
	struct cgroup cg;
	bool has_cgroup, has_pid_file;
	struct cgroup_unit unit; /* systemd driver */
	bool has_unit;
	int placeholder; /* pidfd of what a scope is started around; -1 */
	int root, dir, lock; /* state directories */
	int start, console, master_pair;
	int resctrl; /* -1 unless the plan has a group in it */
	char boot_id[PROC_BOOT_ID];
	char created[CLOCK_TEXT];
};

int container_ns_flags(const struct spec *s)
{
	int all = 0;

	for (enum ns_type t = 0; t < NS_COUNT; t++)
		if (s->linux->ns[t].present)
			all |= namespace_flag(t);
	return all;
}

static int make_plan(struct creation *k, struct err *e)
{
	const struct create_options *o = k->o;
	struct plan_options po = {
		.id = o->id,
		.bundle = o->bundle,
		.systemd_cgroup = k->c->systemd_cgroup,
		.no_cgroup = k->c->no_cgroup,
		.no_pivot = o->no_pivot,
		.no_new_keyring = o->no_new_keyring,
		.preserve_fds = o->preserve_fds,
	};
	int r = core_cgroup(k->c, NULL, e);

	if (r >= 0)
		r = host_facts_read(&k->facts, o->spec, NULL, k->c->cgroup, k->c->in_user_ns, e);
	if (r >= 0)
		r = plan_container(k->c->arena, o->spec, &k->facts, &po, &k->plan, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < o->spec->n_warnings; i++)
		log_line(LOG_LEVEL_DEBUG, o->spec->warnings[i]);
	for (size_t i = 0; i < k->plan->n_warnings; i++)
		log_line(LOG_LEVEL_WARNING, k->plan->warnings[i]);
	return 0;
}

/* What can be found wrong before anything is made. */
static int check(struct creation *k, struct err *e)
{
	OWN_FD fd = -1;
	int r;

	r = console_check(k->plan->process.terminal, k->o->console_socket, k->o->ret_master, e);
	if (r < 0)
		return r;
	if (!k->plan->rootfs)
		return 0;
	fd = sys_openat(AT_FDCWD, k->plan->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	return fd < 0 ? err_sys(e, fd, "rootfs '%s'", k->plan->rootfs) : 0;
}

static bool needs_spec_later(const struct creation *k)
{
	const struct spec_hooks *h = &k->o->spec->hooks;

	return h->n[HOOK_START_CONTAINER] || h->n[HOOK_POSTSTART] || h->n[HOOK_POSTSTOP] ||
	       k->plan->wants_listener;
}

static int make_record(struct creation *k, struct err *e)
{
	const struct create_options *o = k->o;
	struct record *rec = &k->rec;
	struct timespec now;
	int r = core_boot_id(k->c, k->boot_id);

	if (r < 0)
		return err_sys(e, r, "read the boot id");
	clock_gettime(CLOCK_REALTIME, &now);
	clock_utc(&now, 1, k->created);
	*rec = (struct record){
		.id = (char *)(uintptr_t)o->id,
		.oci_version = o->spec->oci_version,
		.bundle = (char *)(uintptr_t)o->bundle,
		.rootfs = (char *)(uintptr_t)(k->plan->rootfs ? k->plan->rootfs : "/"),
		.created = k->created,
		.owner = geteuid(),
		.status = (char *)(uintptr_t)"creating",
		.boot_id = k->boot_id,
		.cgroup_path = (char *)(uintptr_t)k->plan->cgroup_path,
		.systemd_cgroup = k->plan->systemd_cgroup,
		.no_new_keyring = k->o->no_new_keyring,
		.needs_spec = needs_spec_later(k),
		.annotations = o->spec->annotations,
		.n_annotations = o->spec->n_annotations,
	};
	return 0;
}

/* Nothing but files of ours; whatever else may be below the state root is not
 * for us to remove. */
static bool is_ours_alone(int dir)
{
	static const char *const names[] = { LOCK_FILE, SPEC_FILE, START_SOCKET };
	struct dir_reader rd = { .fd = dir };
	const struct dir_entry *d;

	while ((d = dir_next(&rd))) {
		bool ours = str_starts(d->name, "." RECORD_FILE ".") || str_starts(d->name, "." SPEC_FILE ".");

		for (size_t i = 0; !ours && i < ARRAY_SIZE(names); i++)
			ours = !strcmp(d->name, names[i]);
		if (!ours || d->type == DT_DIR)
			return false;
	}
	return rd.n == 0;
}

/* A `create` that was killed before it wrote the record, or a `delete` after it
 * had removed it, leaves a directory that is no container, and no lock. */
static void remove_remains(int root, const char *id)
{
	OWN_FD dir = sys_openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	OWN_FD lock = -1;

	if (dir >= 0)
		lock = sys_openat(dir, LOCK_FILE, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
	if (lock == -ENOENT)
		sys_unlinkat(root, id, AT_REMOVEDIR); /* the very first thing, or the last */
	else if (lock >= 0 && sys_flock(lock, LOCK_EX | LOCK_NB) >= 0 &&
		 container_is_dir(root, id, dir) &&
		 sys_faccessat(dir, RECORD_FILE, F_OK) == -ENOENT && is_ours_alone(dir))
		file_remove_tree(root, id);
}

static int make_dir(struct creation *k)
{
	const char *id = k->o->id;
	int r = sys_mkdirat(k->root, id, 0700);

	if (r == -EEXIST) {
		remove_remains(k->root, id);
		r = sys_mkdirat(k->root, id, 0700);
	}
	if (r < 0)
		return r;
	k->dir = r = sys_openat(k->root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (r == -ENOENT) /* another create of this id took our empty one for remains */
		return -EEXIST;
	if (r < 0)
		sys_unlinkat(k->root, id, AT_REMOVEDIR);
	return r;
}

static bool is_still_ours(const struct creation *k)
{
	return k->dir >= 0 && container_is_dir(k->root, k->o->id, k->dir);
}

static int make_state_dir(struct creation *k, struct err *e)
{
	int r;

	k->root = r = file_mkdirs(k->c->root, 0700, e);
	if (r < 0)
		return r;
	r = make_dir(k);
	if (r == -EEXIST)
		return err_set(e, ERR_EXISTS, 0, "%s", core_text(TEXT_EXISTS));
	if (r < 0)
		return err_sys(e, r, "make '%s/%s'", k->c->root, k->o->id);
	r = container_lock(k->dir, &k->lock, e);
	/* another took it for remains before we had the lock */
	if ((r < 0 && e->kind == ERR_NOT_FOUND) || (r >= 0 && !is_still_ours(k)))
		return err_set(e, ERR_EXISTS, 0, "%s", core_text(TEXT_EXISTS));
	return r < 0 ? r : record_write(k->dir, &k->rec, e);
}

/* For exec, and for the hooks of start and delete. */
static int keep_spec(struct creation *k, struct err *e)
{
	const char *text = k->o->spec_text;

	return text ? file_replace(k->dir, SPEC_FILE, text, strlen(text), 0600, e) : 0;
}

static bool may_go_without_cgroup(const struct creation *k, int r)
{
	return (r == -EACCES || r == -EPERM || r == -EROFS) && !k->facts.privileged &&
	       (k->c->rootless || !k->o->spec->linux->cgroups_path);
}

/* systemd starts a scope only around a process. This one does nothing, and goes
 * when the container's own is there. */
static int make_placeholder(struct creation *k, pid_t *ret, struct err *e)
{
	pid_t pid = clone_idle(0, &k->placeholder);

	if (pid < 0)
		return err_sys(e, pid, "clone a process for the scope");
	*ret = pid;
	return 0;
}

static void end_placeholder(struct creation *k)
{
	if (k->placeholder < 0)
		return;
	proc_end(k->placeholder);
	fd_closep(&k->placeholder);
}

static int make_scope(struct creation *k, const struct spec_resources *res, struct err *e)
{
	struct arena *a = k->c->arena;
	pid_t pid = 0;
	int r = make_placeholder(k, &pid, e);

	if (r < 0)
		return r;
	k->unit = (struct cgroup_unit){
		.name = k->plan->systemd_unit,
		.slice = k->plan->systemd_slice,
		.path = k->plan->cgroup_path,
		.user = !k->facts.privileged,
	};
	/* On record before it exists, so that delete finds it whatever happens. */
	k->unit.made = k->created;
	k->rec.systemd_unit = (char *)(uintptr_t)k->unit.name;
	k->rec.systemd_user = k->unit.user;
	k->rec.cgroup_path = (char *)(uintptr_t)k->unit.path;
	r = record_write(k->dir, &k->rec, e);
	k->has_unit = r >= 0; /* even if the answer is late: undo stops it */
	if (r >= 0)
		r = cgroup_systemd_start(a, &k->unit, k->facts.cgroup, res, pid, e);
	if (r == -EEXIST || (r < 0 && e->kind == ERR_UNSUPPORTED))
		k->has_unit = false; /* somebody else's, or nobody was there to ask */
	if (r < 0)
		return r;
	k->rec.cgroup_path = (char *)(uintptr_t)k->unit.path; /* a user manager's is now whole */
	r = cgroup_adopt(&k->cg, k->facts.cgroup, k->unit.path, e);
	k->has_cgroup = r >= 0;
	if (r >= 0 && k->unit.user && !cgroup_may_join(&k->cg))
		r = cgroup_systemd_enter(a, k->facts.cgroup, e);
	return r;
}

/* cgroup v2: the user of a container that sees its cgroup writable, in a user
 * namespace, owns it. */
static int delegate(struct creation *k, struct err *e)
{
	const struct spec *s = k->o->spec;
	const struct plan *p = k->plan;
	uint32_t uid = p->process.uid;
	bool writable = false;

	if (k->facts.cgroup->mode != CGROUP_V2 || !p->own_user_ns || !p->new_cgroup_ns)
		return 0;
	for (size_t i = 0; i < s->n_mounts; i++)
		if (str_eq(s->mounts[i].type, "cgroup") && !(s->mounts[i].flags & MS_RDONLY))
			writable = true;
	for (size_t i = 0; writable && i < p->n_uid_maps; i++)
		if (uid - p->uid_maps[i].inside < p->uid_maps[i].size)
			return cgroup_delegate(&k->cg, p->uid_maps[i].outside + (uid - p->uid_maps[i].inside), e);
	return 0;
}

static int make_cgroup_dirs(struct creation *k, const struct spec_resources *res, struct err *e)
{
	const struct plan *p = k->plan;
	int r;

	if (p->systemd_cgroup)
		return make_scope(k, res, e);
	r = k->facts.privileged ? cgroup_create(&k->cg, k->facts.cgroup, p->cgroup_path, e) :
				  cgroup_create_partial(&k->cg, k->facts.cgroup, p->cgroup_path, e);
	if (r < 0 && may_go_without_cgroup(k, r)) {
		k->rec.cgroup_path = NULL;
		return 0;
	}
	if (r < 0)
		return r;
	k->has_cgroup = true;
	return 0;
}

static int make_cgroup(struct creation *k, struct err *e)
{
	struct spec_resources res = *k->o->spec->linux->resources;
	int r;

	if (!k->plan->cgroup_path || !k->facts.cgroup)
		return 0;
	r = plan_device_rules(k->c->arena, k->o->spec, &res.devices, &res.n_devices);
	if (r < 0)
		return err_sys(e, r, "make the device rules");
	r = make_cgroup_dirs(k, &res, e);
	if (r >= 0 && k->has_cgroup)
		r = cgroup_apply(&k->cg, &res, k->facts.privileged, e);
	return r < 0 || !k->has_cgroup ? r : delegate(k, e);
}

static int make_rdt_group(struct creation *k, struct err *e)
{
	bool made;
	int r;

	if (!k->plan->rdt_group)
		return 0;
	k->resctrl = r = rdt_open(e);
	if (r < 0)
		return r;
	r = rdt_create(k->resctrl, k->o->spec->linux->intel_rdt, k->plan->rdt_group, &made, e);
	if (r < 0 || !made)
		return r;
	k->rec.rdt_group = (char *)(uintptr_t)k->plan->rdt_group;
	return record_write(k->dir, &k->rec, e);
}

/* The filter is compiled (or found in the cache) only when the process has one. */
int compile_filter(struct core *c, const struct spec *s, struct plan *p, struct err *e)
{
	struct seccomp_filter f;
	char cache[PATH_MAX];
	int r;

	if (!p->process.has_filter)
		return 0;
	snprintf(cache, sizeof cache, "%s/" SECCOMP_CACHE, c->root);
	r = seccomp_compile(c->arena, s->linux->seccomp, cache, &f, e);
	if (r < 0)
		return r;
	p->process.filter.insns = f.insns;
	p->process.filter.n = (uint16_t)f.n;
	p->process.filter.flags = f.flags;
	return p->process.builtin_init ? builtin_init_check(f.insns, f.n, e) : 0;
}

/* The caller keeps the connection over which it will be started. */
static bool is_held(const struct creation *k)
{
	return k->o->ret_start && !k->rec.needs_spec;
}

static int make_sockets(struct creation *k, struct err *e)
{
	const struct create_options *o = k->o;

	if (!o->run && !is_held(k)) {
		k->start = start_socket_listen(k->dir, e);
		if (k->start < 0)
			return k->start;
	}
	return k->plan->process.terminal ?
		       console_open(o->console_socket, &k->console, &k->master_pair, e) :
		       0;
}

int run_hooks_at(struct launch *l, enum hs_phase where, struct err *e)
{
	struct stop_ctx *s = l->ctx;
	enum container_state state = where == HS_MOUNTED ? CT_CREATING : CT_CREATED;
	OWN_SB struct sb outside = SB_INIT;
	OWN_SB struct sb inside = SB_INIT;
	struct hook_run run = { .hooks = &s->spec->hooks, .target = -1, .target_ns = s->target_ns, .plan = l->plan };
	struct record as_inside;
	int r;

	s->rec->pid = l->pid;
	as_inside = *s->rec;
	as_inside.pid = proc_pid_inside(l->pid);
	record_state_json(s->rec, state, false, NULL, &outside);
	record_state_json(&as_inside, state, false, NULL, &inside);
	if (outside.failed || inside.failed)
		return err_sys(e, -ENOMEM, "describe the container to its hooks");
	if (where == HS_STARTING) {
		run.target = l->pidfd;
		run.state = inside.s;
		return hooks_run(&run, HOOK_START_CONTAINER, e);
	}
	run.cwd = s->rec->bundle;
	run.state = outside.s;
	r = hooks_run(&run, HOOK_PRESTART, e);
	if (r >= 0)
		r = hooks_run(&run, HOOK_CREATE_RUNTIME, e);
	run.target = l->pidfd;
	run.cwd = l->plan->rootfs;
	run.state = inside.s;
	return r < 0 ? r : hooks_run(&run, HOOK_CREATE_CONTAINER, e);
}

static int note_start_time(struct creation *k, struct err *e)
{
	struct proc_stat st;
	int r = proc_stat(k->launch.pid, &st);

	k->rec.start_time = r < 0 ? 0 : st.start_time;
	return r < 0 ? err_sys(e, r, "look at process %d", (int)k->launch.pid) : 0;
}

static int tell_pid(struct creation *k, struct err *e)
{
	int r;

	if (!k->o->pid_file || k->has_pid_file)
		return 0;
	r = write_pid_file(k->o->pid_file, k->launch.pid, e);
	k->has_pid_file = r >= 0;
	return r;
}

/* While the child is at work. */
static int meanwhile(struct creation *k, struct err *e)
{
	int r = keep_spec(k, e);

	if (r >= 0 && k->launch.pid) /* else a stage will tell */
		r = note_start_time(k, e);
	if (r >= 0 && k->launch.pid && k->o->pid_file_early)
		r = tell_pid(k, e);
	if (k->o->ret_oom && k->has_cgroup)
		*k->o->ret_oom = cgroup_oom_fd(&k->cg, NULL); /* nothing to fail for */
	return r;
}

static int make_process(struct creation *k, struct err *e)
{
	struct launch *l = &k->launch;
	int r;

	k->stop = (struct stop_ctx){
		.spec = k->o->spec,
		.rec = &k->rec,
		.target_ns = container_ns_flags(k->o->spec),
	};
	l->cg = k->has_cgroup ? &k->cg : NULL;
	l->start = k->start;
	l->console = k->console;
	l->on_stop = run_hooks_at;
	l->on_listener = hand_listener_over;
	l->ctx = &k->stop;
	r = launch_clone(l, e);
	if (r >= 0)
		r = meanwhile(k, e);
	if (r >= 0)
		r = launch_drive(l, HS_CREATED, e);
	if (r < 0)
		return err_wrap(e, r, "unable to start container process");
	return k->resctrl >= 0 ? rdt_join(k->resctrl, k->plan->rdt_group, l->pid, e) : 0;
}

/* The record first, then those who may be watching for the pid. */
static int publish(struct creation *k, struct err *e)
{
	const struct create_options *o = k->o;
	int r = k->rec.start_time ? 0 : note_start_time(k, e);

	if (r < 0)
		return r;
	k->rec.pid = k->launch.pid;
	k->rec.status = (char *)(uintptr_t)(o->run ? "running" : "created");
	r = record_write(k->dir, &k->rec, e);
	if (r >= 0 && o->pidfd_socket)
		r = send_pidfd(o->pidfd_socket, k->launch.pidfd, e);
	return r < 0 ? r : tell_pid(k, e);
}

static int go(struct creation *k, struct err *e)
{
	int r;

	if (is_held(k))
		return launch_hold(&k->launch, k->o->ret_start, e);
	if (!k->o->run)
		return launch_detach(&k->launch, e);
	r = launch_start(&k->launch, e);
	if (r < 0)
		return r;
	r = run_poststart(k->o->spec, &k->rec, e);
	if (r < 0)
		k->launch.kept = false;
	return r;
}

/* One that was there before, empty, may by now hold somebody else's processes. */
static bool is_our_cgroup(const struct creation *k)
{
	bool ours = k->has_unit;

	for (size_t i = 0; i < k->facts.cgroup->n; i++)
		ours = ours || k->cg.made[i];
	return ours;
}

static void close_cgroup(struct creation *k)
{
	if (k->has_cgroup)
		cgroup_done(&k->cg);
	k->has_cgroup = false;
}

/* What cannot be undone keeps its state directory, for `delete --force`. */
static void undo(struct creation *k)
{
	struct err ignored;
	int r = 0;

	launch_done(&k->launch);
	end_placeholder(k);
	if (k->has_unit)
		r = cgroup_systemd_stop(&k->unit, &ignored);
	if (k->has_cgroup && r <= 0 && is_our_cgroup(k)) {
		cgroup_signal_all(&k->cg, SIGKILL, &ignored);
		if (cgroup_destroy(&k->cg, UNDO_MS, &ignored) < 0)
			r = -EBUSY;
		cgroup_remove_parents(&k->cg);
	}
	if (k->rec.rdt_group && rdt_remove(k->resctrl, k->rec.rdt_group, &ignored) < 0)
		r = -EBUSY;
	if (k->has_pid_file)
		sys_unlinkat(AT_FDCWD, k->o->pid_file, 0);
	if (k->stop.spec) /* it came as far as its hooks */
		run_poststop(k->stop.spec, &k->rec, LOG_LEVEL_DEBUG);
	if (r >= 0 && is_still_ours(k)) {
		/* Removing needs fds, and those may be what there was too little of. */
		close_cgroup(k);
		fd_closep(&k->dir);
		file_remove_tree(k->root, k->o->id);
	}
	if (k->o->ret_master)
		fd_closep(k->o->ret_master);
	if (k->o->ret_oom)
		fd_closep(k->o->ret_oom);
}

static void close_all(struct creation *k)
{
	launch_done(&k->launch);
	end_placeholder(k);
	close_cgroup(k);
	fd_closep(&k->resctrl);
	fd_closep(&k->start);
	fd_closep(&k->console);
	fd_closep(&k->master_pair);
	fd_closep(&k->lock);
	fd_closep(&k->dir);
	fd_closep(&k->root);
}

static int run_steps(struct creation *k, struct err *e)
{
	int r = make_plan(k, e);

	if (r >= 0)
		r = check(k, e);
	if (r < 0)
		return r;
	launch_init(&k->launch, k->c->arena, k->plan);
	r = make_record(k, e);
	if (r >= 0)
		r = make_state_dir(k, e);
	if (r >= 0)
		r = compile_filter(k->c, k->o->spec, k->plan, e);
	if (r >= 0)
		r = make_cgroup(k, e);
	if (r >= 0)
		r = make_rdt_group(k, e);
	if (r >= 0)
		r = make_sockets(k, e);
	if (r >= 0)
		r = make_process(k, e);
	if (r >= 0)
		r = receive_master(&k->console, &k->master_pair, k->o->ret_master, e);
	if (r >= 0)
		r = publish(k, e);
	return r < 0 ? r : go(k, e);
}

int container_create(struct core *c, const struct create_options *o, int *ret_pidfd,
		     pid_t *ret_pid, struct err *e)
{
	struct creation k = {
		.c = c,
		.o = o,
		.root = -1,
		.dir = -1,
		.lock = -1,
		.placeholder = -1,
		.resctrl = -1,
		.start = -1,
		.console = -1,
		.master_pair = -1,
	};
	int r = container_check_id(o->id, e);

	launch_init(&k.launch, c->arena, NULL);
	if (o->ret_master)
		*o->ret_master = -1;
	if (o->ret_oom)
		*o->ret_oom = -1;
	if (r >= 0)
		r = run_steps(&k, e);
	if (r < 0) {
		undo(&k);
	} else {
		*ret_pidfd = take_fd(&k.launch.pidfd);
		*ret_pid = k.launch.pid;
		if (o->ret_cgroup)
			*o->ret_cgroup = k.rec.cgroup_path;
		if (o->ret_plain)
			*o->ret_plain = !k.rec.needs_spec && !k.rec.systemd_unit && !k.rec.rdt_group;
	}
	close_all(&k);
	return r;
}

int container_dry_run(struct core *c, const struct create_options *o, struct plan **ret,
		      struct err *e)
{
	struct creation k = { .c = c, .o = o };
	int r = container_check_id(o->id, e);

	if (r >= 0)
		r = make_plan(&k, e);
	if (r >= 0)
		*ret = k.plan;
	return r;
}
