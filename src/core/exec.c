/* exec: another process in a running container. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "cgroup.h"
#include "container.h"
#include "container_priv.h"
#include "err.h"
#include "fd.h"
#include "mem.h"
#include "plan.h"
#include "planner.h"
#include "record.h"
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
		.no_new_keyring = x->o->no_new_keyring,
		.preserve_fds = x->o->preserve_fds,
	};
	int r = container_spec(x->ct, &x->spec, e);

	if (r >= 0)
		r = core_cgroup(c, NULL, e);
	if (r >= 0)
		r = host_facts_read(&x->facts, c->cgroup, c->in_user_ns, e);
	if (r >= 0)
		r = plan_exec(c->arena, x->spec, x->o->process, &x->facts, &po, &x->plan, e);
	return r < 0 ? r : compile_filter(c, x->spec, x->plan, e);
}

static int open_cgroup(struct execution *x, struct err *e)
{
	struct arena *a = x->ct->core->arena;
	const char *path = x->ct->rec->cgroup_path;
	int r;

	if (!path || !x->facts.cgroup)
		return 0;
	if (!str_empty(x->o->cgroup)) {
		if (strstr(x->o->cgroup, ".."))
			return err_set(e, ERR_INVALID, 0, "bad sub cgroup path '%s'", x->o->cgroup);
		path = arena_printf(a, "%s/%s", path, x->o->cgroup);
		if (!path)
			return err_sys(e, -ENOMEM, "open the cgroup");
	}
	if (x->facts.cgroup->mode == CGROUP_V2 && str_empty(x->o->cgroup))
		r = cgroup_open_of(&x->cg, x->facts.cgroup, x->ct->rec->pid, e);
	else
		r = cgroup_open(&x->cg, x->facts.cgroup, path, e);
	x->has_cgroup = r >= 0;
	return r;
}

static int make_console(struct execution *x, struct err *e)
{
	if (!x->plan->process.terminal)
		return 0;
	if (x->o->console_socket) {
		x->console = unix_connect(x->o->console_socket, "the console socket", e);
		return x->console < 0 ? x->console : 0;
	}
	if (!x->o->ret_master)
		return err_set(e, ERR_INVALID, 0,
			       "cannot allocate tty if berth will detach without setting console socket");
	return console_pair(&x->console, &x->master_pair, e);
}

/* By pid, but the pidfd that we hold says afterwards whose it was. */
static int open_root(struct execution *x, struct err *e)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/%d/root", (int)x->ct->rec->pid);
	x->root = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (x->root < 0)
		return err_sys(e, x->root, "open '%s'", path);
	return state_check(sys_pidfd_send_signal(x->ct->pidfd, 0) < 0 ? CT_STOPPED : CT_RUNNING,
			   EV_EXEC, e);
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
	if (!(l->target_ns & CLONE_NEWNS)) {
		r = open_root(x, e);
		if (r < 0)
			return r;
		l->target_root = x->root;
	}
	l->on_listener = hand_listener_over;
	l->ctx = &x->stop;
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

int container_exec(struct container *ct, const struct exec_options *o, int *ret_pidfd,
		   pid_t *ret_pid, struct err *e)
{
	struct execution x = { .ct = ct, .o = o, .console = -1, .master_pair = -1, .root = -1 };
	bool frozen_is_fine = ct->state == CT_PAUSED && o->ignore_paused;
	int r = frozen_is_fine ? 0 : state_check(ct->state, EV_EXEC, e);

	launch_init(&x.launch, ct->core->arena, NULL);
	if (o->ret_master)
		*o->ret_master = -1;
	if (r >= 0)
		r = make_plan(&x, e);
	if (r >= 0)
		r = open_cgroup(&x, e);
	if (r >= 0)
		r = make_console(&x, e);
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
	return r;
}
