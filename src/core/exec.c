/* exec: another process in a running container. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "cgroup.h"
#include "cgroup_systemd.h"
#include "container.h"
#include "container_priv.h"
#include "err.h"
#include "fd.h"
#include "mem.h"
#include "plan.h"
#include "planner.h"
#include "proc.h"
#include "record.h"
#include "rootfs.h"
#include "spec.h"
#include "str.h"
#include "sys.h"

struct execution {
	struct container *ct;
	const struct exec_options *o;
	struct host_facts facts;
	struct spec *spec;
	struct plan *plan;
	struct stop_ctx stop;
	struct launch launch;
	struct cgroup cg;
	bool has_cgroup;
	int console, master_pair;
	int root; /* of the container, where its mount namespace is not its own */
};

static int make_plan(struct execution *x, struct err *e)
{
	struct core *c = x->ct->core;
	struct plan_options po = {
		.id = x->ct->rec->id,
		.bundle = x->ct->rec->bundle,
		.preserve_fds = x->o->preserve_fds,
		.no_new_keyring = x->ct->rec->no_new_keyring,
	};
	int r = container_spec_for_exec(x->ct, &x->spec, e);

	if (r >= 0)
		r = core_cgroup(c, NULL, e);
	if (r >= 0)
		r = host_facts_read(&x->facts, x->spec, x->o->process, c->cgroup, c->in_user_ns,
				    e);
	if (r >= 0)
		r = plan_exec(c->arena, x->spec, x->o->process, &x->facts, &po, &x->plan, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < x->plan->n_warnings; i++)
		log_line(LOG_LEVEL_WARNING, x->plan->warnings[i]);
	return compile_filter(c, x->spec, x->plan, e);
}

/* One hierarchy goes to a sub-cgroup, which must exist. */
static int enter_sub_cgroup(struct cgroup *cg, size_t i, const char *sub, struct err *e)
{
	int fd;

	if (cg->fd[i] < 0)
		return 0;
	fd = rootfs_open(cg->fd[i], sub, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return err_sys(e, fd, "open cgroup '%s/%s' (%s)", cg->path, sub,
			       cg->host->h[i].controllers);
	sys_close(cg->fd[i]);
	cg->fd[i] = fd;
	return 0;
}

/* "PATH" for all hierarchies, or "CONTROLLER[,CONTROLLER...]:PATH". */
static int apply_sub_cgroup(struct execution *x, const char *arg, struct err *e)
{
	char *names = arena_strdup(x->ct->core->arena, arg), *sub = names ? strchr(names, ':') : NULL;
	const char *name, *path = sub ? sub + 1 : arg;
	int r = 0;

	if (!names)
		return err_sys(e, -ENOMEM, "open the cgroup");
	if (strchr(path, ':') || (!sub && x->o->n_cgroups > 1))
		return err_set(e, ERR_INVALID, 0, "invalid --cgroup argument: %s%s", arg,
			       sub ? "" : " (missing <controller>: prefix)");
	if (strstr(path, ".."))
		return err_set(e, ERR_INVALID, 0, "%s is not a sub cgroup path", path);
	for (size_t i = 0; !sub && r >= 0 && i < x->facts.cgroup->n; i++)
		r = enter_sub_cgroup(&x->cg, i, path, e);
	if (!sub)
		return r;
	*sub = '\0';
	while (r >= 0 && (name = strsep(&names, ","))) {
		/* The one hierarchy of v2 has no name. */
		bool named = x->facts.cgroup->mode == CGROUP_V2 && *name;
		int i = named ? -1 : cgroup_hierarchy_of(x->facts.cgroup, name);

		r = i < 0 ? err_set(e, ERR_INVALID, 0, "unknown controller %s in --cgroup %s", name, arg) :
			    enter_sub_cgroup(&x->cg, (size_t)i, path, e);
	}
	return r;
}

static int open_cgroup(struct execution *x, struct err *e)
{
	const char *path = x->ct->rec->cgroup_path;
	int r;

	if (!path || !x->facts.cgroup)
		return 0;
	if (x->facts.cgroup->mode == CGROUP_V2 && !x->o->n_cgroups)
		r = cgroup_open_of(&x->cg, x->facts.cgroup, x->ct->rec->pid, e);
	else
		r = cgroup_open(&x->cg, x->facts.cgroup, path, e);
	x->has_cgroup = r >= 0;
	for (size_t i = 0; r >= 0 && i < x->o->n_cgroups; i++)
		r = apply_sub_cgroup(x, x->o->cgroups[i], e);
	if (r >= 0 && x->ct->rec->systemd_user && !cgroup_may_join(&x->cg))
		r = cgroup_systemd_enter(x->ct->core->arena, x->facts.cgroup, e);
	return r;
}

/* By pid, but the pidfd that we hold says afterwards whose it was. */
static int open_root(struct execution *x, struct err *e)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/%d/root", (int)x->ct->rec->pid);
	x->root = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (x->root < 0)
		return err_sys(e, x->root, "open '%s'", path);
	return state_check(proc_signal(x->ct->pidfd, 0) < 0 ? CT_STOPPED : CT_RUNNING,
			   EV_EXEC, e);
}

static bool into_frozen(const struct execution *x)
{
	return x->ct->state == CT_PAUSED && x->o->ignore_paused;
}

/* Whoever has CAP_SYS_PTRACE in the container could look at the host through a
 * process that is about to enter. In a user namespace of its own nobody can. */
static bool may_be_traced(const struct execution *x, int ns)
{
	const struct spec_caps *c = x->spec->process ? x->spec->process->capabilities : NULL;
	uint64_t all = x->plan->process.caps.bounding;

	for (int i = 0; c && i < CAP_SET_COUNT; i++)
		all |= c->set[i];
	return all >> CAP_SYS_PTRACE & 1 && ns & CLONE_NEWPID && ns & CLONE_NEWNS && !(ns & CLONE_NEWUSER);
}

static int make_process(struct execution *x, struct err *e)
{
	struct launch *l = &x->launch;
	int r;

	x->stop = (struct stop_ctx){ .spec = x->spec, .rec = x->ct->rec };
	launch_init(l, x->ct->core->arena, x->plan);
	l->cg = x->has_cgroup ? &x->cg : NULL;
	l->console = x->console;
	l->target = x->ct->pidfd;
	l->target_ns = container_ns_flags(x->spec);
	l->hide = may_be_traced(x, l->target_ns);
	if (!(l->target_ns & CLONE_NEWNS)) {
		r = open_root(x, e);
		if (r < 0)
			return r;
		l->target_root = x->root;
	}
	l->on_listener = hand_listener_over;
	l->ctx = &x->stop;
	if (into_frozen(x))
		l->deadline_ms = -1; /* it goes on when somebody resumes it */
	r = launch_create(l, e);
	if (r < 0)
		return err_wrap(e, r, "unable to start container process");
	r = receive_master(&x->console, &x->master_pair, x->o->ret_master, e);
	if (r >= 0 && x->o->pidfd_socket)
		r = send_pidfd(x->o->pidfd_socket, l->pidfd, e);
	if (r >= 0 && x->o->pid_file)
		r = write_pid_file(x->o->pid_file, l->pid, e);
	if (r < 0)
		return r;
	r = launch_start(l, e);
	return r < 0 ? err_wrap(e, r, "unable to start container process") : r;
}

static int check_process(const struct spec_process *p, struct err *e)
{
	if (str_empty(p->cwd))
		return err_set(e, ERR_INVALID, 0, "Cwd property must not be empty");
	if (*p->cwd != '/')
		return err_set(e, ERR_INVALID, 0, "Cwd must be an absolute path");
	if (!p->n_args)
		return err_set(e, ERR_INVALID, 0, "process args cannot be empty");
	return 0;
}

int container_exec(struct container *ct, const struct exec_options *o, int *ret_pidfd,
		   pid_t *ret_pid, struct err *e)
{
	struct execution x = { .ct = ct, .o = o, .console = -1, .master_pair = -1, .root = -1 };
	int r = into_frozen(&x) ? 0 : state_check(ct->state, EV_EXEC, e);

	launch_init(&x.launch, ct->core->arena, NULL);
	if (o->ret_master)
		*o->ret_master = -1;
	if (r >= 0)
		r = check_process(o->process, e);
	if (r >= 0)
		r = console_check(o->process->terminal, o->console_socket, o->ret_master, e);
	if (r >= 0)
		r = make_plan(&x, e);
	if (r >= 0)
		r = open_cgroup(&x, e);
	if (r >= 0 && o->process->terminal)
		r = console_open(o->console_socket, &x.console, &x.master_pair, e);
	if (r >= 0)
		r = make_process(&x, e);
	if (r >= 0) {
		*ret_pidfd = take_fd(&x.launch.pidfd);
		*ret_pid = x.launch.pid;
	} else if (o->ret_master) {
		fd_closep(o->ret_master);
	}
	launch_done(&x.launch);
	if (x.has_cgroup)
		cgroup_done(&x.cg);
	fd_closep(&x.root);
	fd_closep(&x.console);
	fd_closep(&x.master_pair);
	if (r < 0)
		container_exec_ended(ct);
	return r;
}

void container_exec_ended(const struct container *ct)
{
	const struct record *rec = ct->rec;

	for (size_t i = 0; ct->pidfd >= 0 && i < rec->n_annotations; i++)
		if (!strcmp(rec->annotations[i].key, SPEC_BUILTIN_INIT) && !strcmp(rec->annotations[i].value, "true"))
			proc_signal(ct->pidfd, SIGCHLD);
}
