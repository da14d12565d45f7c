/* Cloning, and the stage between the parent and init; see handshake.h. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fd.h"
#include "init.h"
#include "sys.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

pid_t clone_process(uint64_t flags, int cgroup, int *ret_pidfd, bool *ret_joined)
{
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		/* CLONE_PARENT takes the exit signal of the caller itself. */
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
	};
	pid_t pid;

	*ret_joined = cgroup >= 0;
	if (cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)cgroup;
	}
	pid = sys_clone3(&args);
	/* EACCES is for who has entered a user namespace: the child joins by the
	 * file that was opened before, which keeps its opener's rights. */
	if (sys_refused(pid) || pid == -EOPNOTSUPP || (pid == -EACCES && cgroup >= 0)) {
		pid_t old = sys_clone((unsigned long)(flags | CLONE_PIDFD) |
					      (flags & CLONE_PARENT ? 0 : SIGCHLD),
				      ret_pidfd);

		*ret_joined = false;
		return old;
	}
	return pid;
}

int become_root(const struct plan *p)
{
	int r = 0;

	if (!p->root_is_mapped)
		return 0;
	r = sys_setresgid(0);
	if (r >= 0)
		r = sys_setresuid(0);
	if (r >= 0 && !p->deny_setgroups)
		r = sys_setgroups(0, NULL);
	return r;
}

/* Namespaces that root of the host owns are joined before the user namespace,
 * those that belong to it after. */
static void join_all(struct init *in)
{
	const struct plan *p = in->p;
	bool done[8] = { false };
	int r;

	for (uint32_t i = 0; i < p->n_joins; i++) {
		if (p->joins[i].type == CLONE_NEWUSER)
			continue;
		r = sys_setns(in->f->join[i], p->joins[i].type);
		done[i] = r >= 0;
		if (r < 0 && r != -EPERM)
			init_fail(in, STAGE_JOIN, i, r);
	}
	for (uint32_t i = 0; i < p->n_joins; i++)
		if (p->joins[i].type == CLONE_NEWUSER) {
			init_must(in, sys_setns(in->f->join[i], CLONE_NEWUSER), STAGE_JOIN, i);
			init_must(in, become_root(p), STAGE_USER_ROOT, 0);
			done[i] = true;
		}
	for (uint32_t i = 0; i < p->n_joins; i++)
		if (!done[i])
			init_must(in, sys_setns(in->f->join[i], p->joins[i].type), STAGE_JOIN, i);
}

static void new_user_ns(struct init *in)
{
	init_must(in, sys_unshare(CLONE_NEWUSER), STAGE_UNSHARE, CLONE_NEWUSER);
	init_tell(in, HS_CLONED, 0);
	init_expect(in, HS_MAPPED);
	init_must(in, become_root(in->p), STAGE_USER_ROOT, 0);
}

/* Opened as who we are now: an undumpable process whose ids have changed may not
 * open its own file any more. Written, it is about the namespace of that moment. */
static int open_offsets(struct init *in)
{
	if (!in->p->time_offsets || !(in->p->new_ns & CLONE_NEWTIME))
		return -1;
	return init_must(in, init_proc_open(in, "self/timens_offsets", O_WRONLY), STAGE_TIME, 0);
}

/* Only the children of the caller enter a new time namespace, and only until
 * the first of them exists can its offsets be set. */
static void new_time_ns(struct init *in, int offsets)
{
	const char *text = in->p->time_offsets;

	init_must(in, sys_unshare(CLONE_NEWTIME), STAGE_UNSHARE, CLONE_NEWTIME);
	if (offsets >= 0)
		init_must(in, fd_write_all(offsets, text, strlen(text)), STAGE_TIME, 0);
	sys_close(offsets);
}

static void hand_over(struct init *in, pid_t pid, int pidfd)
{
	struct hs_msg m = { .phase = HS_FORKED, .index = (uint32_t)pid };

	if (fd_send(in->sync, &m, sizeof m, &pidfd, 1) < 0)
		_exit(INIT_EXIT_SILENT); /* init reads end of file at the gate and goes, too */
	fd_write_all(in->f->gate[1], "", 1);
	_exit(0);
}

/* The container's own procfs, for a label: the host's is a way out, so without
 * this one there is none. */
static int private_proc(void)
{
	OWN_FD fs = sys_fsopen("proc", SYS_FSOPEN_CLOEXEC);
	int r = fs;

	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_SET_STRING, "subset", "pid");
	if (r >= 0)
		r = sys_fsconfig(fs, SYS_FSCONFIG_CMD_CREATE, NULL, NULL);
	if (r >= 0)
		r = sys_fsmount(fs, SYS_FSMOUNT_CLOEXEC, 0);
	return r;
}

static void close_all_but(unsigned first, const int *keep, size_t n)
{
	for (;;) {
		unsigned next = ~0u;

		for (size_t i = 0; i < n; i++)
			if (keep[i] >= 0 && (unsigned)keep[i] >= first && (unsigned)keep[i] < next)
				next = (unsigned)keep[i];
		if (next == ~0u)
			break;
		while (first < next)
			sys_close((int)first++);
		first = next + 1;
	}
	fd_close_from(first);
}

/* The child is in the container's pid namespace from its first instruction, and
 * with CAP_SYS_PTRACE the container looks into it by /proc: at its root, its
 * working directory and what it has open. So all that has left the host before
 * (CVE-2016-9962); the stage itself is not seen. */
static void forget_host_early(struct init *in, struct init_fds *child)
{
	const struct plan_process *pr = &in->p->process;
	int keep[7];

	child->n_cgroup = 0;
	child->clone_cgroup = -1;
	child->proc = -1;
	if (pr->apparmor || pr->selinux)
		child->proc = init_must(in, private_proc(), STAGE_PROC, 0);
	keep[0] = child->sync;
	keep[1] = child->gate[0];
	keep[2] = child->gate[1];
	keep[3] = child->start;
	keep[4] = child->console;
	keep[5] = child->target;
	keep[6] = child->proc;
	close_all_but(3 + pr->preserve_fds, keep, sizeof keep / sizeof keep[0]);
}

_Noreturn void stage_main(const struct plan *p, const struct init_fds *f)
{
	struct init stage = { .p = p, .f = f, .sync = f->sync, .root = -1, .null = -1 };
	struct init_fds child = *f;
	uint64_t flags = p->new_ns;
	int pidfd = -1, offsets;
	bool joined;
	pid_t pid;

	sys_close(f->parent_sync);
	child.parent_sync = -1;
	offsets = open_offsets(&stage);
	if (f->settings) {
		apply_settings(&stage);
		child.settings = false;
	}
	/* Nothing of the container may trace us once we are inside. */
	if (!f->wait_for_maps)
		init_must(&stage, sys_prctl(PR_SET_DUMPABLE, 0, 0, 0), STAGE_SESSION, 0);
	if (f->hide)
		init_join_cgroup(&stage);
	/* The cgroup namespace comes last, by init: from inside it, the kernel
	 * would refuse a move from the cgroup that we are in now. */
	if (f->target >= 0 && f->target_ns & ~CLONE_NEWCGROUP)
		init_must(&stage, sys_setns(f->target, f->target_ns & ~CLONE_NEWCGROUP),
			  STAGE_JOIN_ALL, 0);
	if (f->target >= 0 && f->target_ns & CLONE_NEWUSER)
		init_must(&stage, become_root(p), STAGE_USER_ROOT, 0);
	join_all(&stage);
	if (f->wait_for_maps) {
		new_user_ns(&stage);
		flags &= ~(uint64_t)CLONE_NEWUSER;
		child.wait_for_maps = false;
	}
	if (flags & CLONE_NEWTIME) {
		new_time_ns(&stage, offsets);
		flags &= ~(uint64_t)CLONE_NEWTIME;
	}
	child.enter_target = false;
	if (f->hide)
		forget_host_early(&stage, &child);
	pid = clone_process(flags | CLONE_PARENT, child.clone_cgroup, &pidfd, &joined);
	init_must(&stage, pid, STAGE_CLONE, 0);
	if (pid == 0) {
		if (joined)
			child.n_cgroup = 0;
		init_main(p, &child);
	}
	hand_over(&stage, pid, pidfd);
	_exit(0);
}
