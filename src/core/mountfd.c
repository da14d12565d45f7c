/* Mount objects made with the caller's privileges before the process exists:
 * sources that root of a new user namespace could not reach, and id-mapped
 * mounts. The child attaches them (init_steps.c). */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "launch.h"
#include "mem.h"
#include "plan.h"
#include "planner.h"
#include "proc.h"
#include "sys.h"

pid_t clone_helper(uint64_t flags, int *ret_pidfd)
{
	pid_t parent = getpid(), pid;
	bool joined;

	pid = clone_process(flags, -1, ret_pidfd, &joined);
	if (pid)
		return pid;
	sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0);
	if (getppid() != parent) /* it died before that */
		_exit(1);
	return 0;
}

pid_t clone_idle(uint64_t flags, int *ret_pidfd)
{
	pid_t pid = clone_helper(flags, ret_pidfd);

	if (pid)
		return pid;
	for (;;)
		pause();
}

/* A user namespace that exists only to carry the maps of an id-mapped mount:
 * held by its fd, without a process in it. */
static int user_ns_fd(struct launch *l, const struct fs_step *s, struct err *e)
{
	struct plan maps = *l->plan;
	int pidfd = -1, fd = -1, r;
	char path[32];
	pid_t pid;

	for (size_t i = 0; !s->n_uid_maps && i < maps.n_joins; i++)
		if (maps.joins[i].type == CLONE_NEWUSER) {
			fd = sys_fcntl(l->fds.join[i], F_DUPFD_CLOEXEC, 0);
			return fd < 0 ? err_sys(e, fd, "keep the user namespace of an id-mapped mount") : fd;
		}
	if (s->n_uid_maps) {
		maps.uid_maps = s->uid_maps;
		maps.n_uid_maps = s->n_uid_maps;
		maps.gid_maps = s->gid_maps;
		maps.n_gid_maps = s->n_gid_maps;
	}
	pid = clone_idle(CLONE_NEWUSER, &pidfd);
	if (pid < 0)
		return err_sys(e, pid, "clone a process for an id-mapped mount");
	r = idmap_write(&maps, l->proc, pid, e);
	if (r >= 0) {
		snprintf(path, sizeof path, "%d/ns/user", (int)pid);
		fd = sys_openat(l->proc, path, O_RDONLY | O_CLOEXEC, 0);
		if (fd < 0)
			r = err_sys(e, fd, "open the user namespace of an id-mapped mount");
	}
	proc_end(pidfd);
	sys_close(pidfd);
	return r < 0 ? r : fd;
}

static int cannot_map(const struct fs_step *s, int r, struct err *e)
{
	return err_set(e, r == -ENOSYS || r == -EINVAL ? ERR_UNSUPPORTED : ERR_INTERNAL, r,
		       "%s: id-map the mount '%s'", s->pointer ? s->pointer : "mount", s->source);
}

static int id_map(struct launch *l, const struct fs_step *s, int tree, struct err *e)
{
	OWN_FD ns = user_ns_fd(l, s, e);
	struct sys_mount_attr attr = { .attr_set = SYS_ATTR_IDMAP };
	int r;

	if (ns < 0)
		return ns;
	attr.userns_fd = (unsigned)ns;
	r = sys_mount_setattr(tree, "", AT_EMPTY_PATH | (s->idmap_recursive ? AT_RECURSIVE : 0),
			      &attr);
	return r < 0 ? cannot_map(s, r, e) : 0;
}

static int prepare_step(struct launch *l, size_t i, struct err *e)
{
	const struct fs_step *s = &l->plan->steps[i];
	bool map = s->idmap || s->idmap_recursive;
	int fd = sys_open_tree(AT_FDCWD, s->source,
			       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (s->recursive ? AT_RECURSIVE : 0));

	if (sys_refused(fd))
		return map ? cannot_map(s, fd, e) : 0; /* the child will try by path */
	if (fd < 0)
		return err_sys(e, fd, "open the mount '%s'", s->source);
	l->fds.step[i] = fd;
	return map ? id_map(l, s, fd, e) : 0;
}

/* For ours, and for what the child keeps open. */
static int make_room(struct launch *l, struct err *e)
{
	l->fds.step = arena_calloc(l->a, l->plan->n_steps, sizeof(int));
	if (!l->fds.step)
		return err_sys(e, -ENOMEM, "prepare mounts");
	for (size_t i = 0; i < l->plan->n_steps; i++)
		l->fds.step[i] = -1;
	return 0;
}

int mountfd_prepare(struct launch *l, struct err *e)
{
	const struct plan *p = l->plan;
	int r = 0;

	for (size_t i = 0; i < p->n_steps && r >= 0; i++) {
		bool ours = p->steps[i].op == FS_BIND && p->steps[i].from_host;

		if ((ours || p->steps[i].kept) && !l->fds.step)
			r = make_room(l, e);
		if (r >= 0 && ours)
			r = prepare_step(l, i, e);
	}
	return r;
}

void mountfd_done(struct launch *l)
{
	for (size_t i = 0; l->fds.step && i < l->plan->n_steps; i++)
		fd_closep(&l->fds.step[i]);
}
