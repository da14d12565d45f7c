/* The new process from clone3 to execve, in order. Read init_main() first. */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fd.h"
#include "sys.h"

_Noreturn void init_fail(struct init *in, enum init_stage stage, uint32_t index, int r)
{
	struct hs_msg m = {
		.phase = HS_FAILED,
		.stage = (uint32_t)stage,
		.index = index,
		.sys = -r,
	};

	while (sys_write(in->sync, &m, sizeof m) == -EINTR)
		;
	_exit(INIT_EXIT_SILENT);
}

int init_must(struct init *in, int r, enum init_stage stage, uint32_t index)
{
	if (r < 0)
		init_fail(in, stage, index, r);
	return r;
}

void init_tell(struct init *in, enum hs_phase phase, uint32_t index)
{
	struct hs_msg m = { .phase = (uint32_t)phase, .index = index };
	ssize_t n;

	do
		n = sys_write(in->sync, &m, sizeof m);
	while (n == -EINTR);
	if (n < 0)
		_exit(INIT_EXIT_SILENT);
}

/* The next message's phase; HS_NONE at end of file. */
static enum hs_phase hear(struct init *in)
{
	struct hs_msg m;
	ssize_t n;

	do
		n = sys_read(in->sync, &m, sizeof m);
	while (n == -EINTR);
	if (n < 0 && n != -ECONNRESET)
		init_fail(in, STAGE_PROTOCOL, 0, (int)n);
	return n == (ssize_t)sizeof m ? (enum hs_phase)m.phase : HS_NONE;
}

void init_expect(struct init *in, enum hs_phase phase)
{
	enum hs_phase got = hear(in);

	if (got == HS_NONE)
		_exit(INIT_EXIT_SILENT); /* the parent is gone, or gave up and will say why */
	if (got != phase)
		init_fail(in, STAGE_PROTOCOL, (uint32_t)got, -EPROTO);
}

/* First of all, so that everything after it is charged to the container. */
void init_join_cgroup(struct init *in)
{
	for (int i = 0; i < in->f->n_cgroup; i++) {
		ssize_t n = sys_write(in->f->cgroup[i], "0", 1);

		/* A cpu cgroup without a real-time share takes no such process. */
		if (n == -EINVAL && in->p->process.scheduler)
			init_fail(in, STAGE_SETTING, SETTING_SCHEDULER, (int)n);
		init_must(in, n < 0 ? (int)n : 0, STAGE_CGROUP_JOIN, (uint32_t)i);
	}
}

static void join_cgroups(struct init *in)
{
	init_join_cgroup(in);
	if (in->f->target >= 0 && in->f->target_ns & CLONE_NEWCGROUP)
		init_must(in, sys_setns(in->f->target, CLONE_NEWCGROUP), STAGE_JOIN_ALL, 1);
	if (in->p->new_cgroup_ns)
		init_must(in, sys_unshare(CLONE_NEWCGROUP), STAGE_CGROUP_NS, 0);
}

/* All at once but for two: the pid namespace came with clone3, the cgroup
 * namespace follows the cgroup. */
static void join_target(struct init *in)
{
	int which = in->f->target_ns & ~(CLONE_NEWPID | CLONE_NEWCGROUP);

	if (which)
		init_must(in, sys_setns(in->f->target, which), STAGE_JOIN_ALL, 0);
}

/* A stage has cloned us and still has to tell the parent who we are. */
static void pass_gate(struct init *in)
{
	char c;
	ssize_t n;

	if (in->f->gate[0] < 0)
		return;
	sys_close(in->f->gate[1]);
	do
		n = sys_read(in->f->gate[0], &c, 1);
	while (n == -EINTR);
	if (n != 1)
		_exit(INIT_EXIT_SILENT);
}

void apply_settings(struct init *in)
{
	uint32_t index;
	int r = settings_apply(in->p, in->f->proc, 0, &index);

	if (r < 0)
		init_fail(in, STAGE_SETTING, index, r);
}

static void loopback_up(struct init *in)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = init_must(in, sys_socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
			   STAGE_LOOPBACK, 0);

	init_must(in, sys_ioctl(fd, SIOCSIFFLAGS, &ifr), STAGE_LOOPBACK, 0);
	sys_close(fd);
}

/* The keyring's owner, and in a user namespace everybody, may search it: with
 * what possession alone gives, a process that changes its ids loses its keys. */
static int searchable(const struct plan *p, long key)
{
	char text[256] = ""; /* "keyring;UID;GID;PERMISSIONS;NAME", the third in hexadecimal */
	uint32_t perm = 0, part = 0;
	long n = sys_keyctl_describe(key, text, sizeof text - 1);

	if (n < 0)
		return (int)n;
	for (const char *c = text; *c && part < 4; c++) {
		if (*c == ';')
			part++;
		else if (part == 3)
			perm = perm << 4 | (uint32_t)(*c <= '9' ? *c - '0' : *c - 'a' + 10);
	}
	return sys_keyctl_setperm(key, perm | (p->n_uid_maps ? 0x8u : 0x80000u));
}

static void own_session(struct init *in)
{
	long key;
	int r;

	/* A new process leads no group yet, for which it would be refused. */
	init_must(in, sys_setsid(), STAGE_SESSION, 0);
	if (!in->p->process.keyring)
		return;
	key = sys_keyctl_join(in->p->process.keyring);
	if (key < 0 && key != -ENOSYS && key != -EPERM && key != -EDQUOT)
		init_fail(in, STAGE_KEYRING, 0, (int)key);
	if (key >= 0 && (r = searchable(in->p, key)) < 0 && r != -EPERM && r != -EACCES)
		init_fail(in, STAGE_KEYRING, 0, r);
}

/* Words of its own for what only the new mount calls can do: the error is that of the
 * fallback, or says nothing of them. */
static enum init_stage stage_of(const struct init *in, const struct fs_step *s, int r)
{
	if (!in->old_mount_api || !s->from_host)
		return STAGE_STEP;
	if (sys_refused(r) && (s->idmap || s->idmap_recursive))
		return STAGE_STEP_MAPPED;
	return r == -EACCES && sys_faccessat(AT_FDCWD, s->source, F_OK) == -EACCES ? STAGE_STEP_PATH :
										     STAGE_STEP;
}

/* Where the mount of a step is or will be: for a remount, that of the step which made it. */
static int *fd_of(struct init *in, const struct fs_step *s, uint32_t i)
{
	return in->f->step ? &in->f->step[s->op == FS_REMOUNT ? s->of : i] : NULL;
}

static void make_file_system(struct init *in)
{
	const struct plan *p = in->p;
	int r;

	init_root(in);
	for (uint32_t i = 0; i < p->n_steps; i++) {
		r = init_step(in, &p->steps[i], fd_of(in, &p->steps[i], i));
		init_must(in, r, stage_of(in, &p->steps[i], r), i);
	}
	rootfs_forget(&in->parent); /* hooks may mount */
	if (p->process.terminal)
		init_console(in);
	if (p->stop_for_hooks) {
		init_tell(in, HS_MOUNTED, 0);
		init_expect(in, HS_HOOKED);
	}
	for (uint32_t i = 0; i < p->n_late_steps; i++) {
		const struct fs_step *s = &p->late_steps[i];

		init_must(in, init_step(in, s, s->kept ? &in->f->step[s->of] : NULL), STAGE_LATE_STEP, i);
	}
	init_pivot(in);
}

/* exec, or a container that shares its file system: nothing is made. */
static void enter_file_system(struct init *in)
{
	if (in->f->target_root >= 0) {
		init_must(in, sys_fchdir(in->f->target_root), STAGE_ROOTFS, 0);
		init_must(in, sys_chroot("."), STAGE_ROOTFS, 0);
	}
	in->root = init_must(in, sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0),
			     STAGE_ROOTFS, 0);
	if (in->p->rootfs && !in->p->own_mount_ns) {
		init_must(in, sys_chdir(in->p->rootfs), STAGE_ROOTFS, 0);
		init_must(in, sys_chroot("."), STAGE_ROOTFS, 0);
		sys_close(in->root);
		in->root = init_must(in, sys_openat(AT_FDCWD, "/", O_PATH | O_CLOEXEC, 0),
				     STAGE_ROOTFS, 0);
	}
	if (in->p->process.terminal)
		init_console(in);
	if (in->p->stop_for_hooks) {
		init_tell(in, HS_MOUNTED, 0);
		init_expect(in, HS_HOOKED);
	}
}

/* From here on only stdio, the preserved fds, the two we wait on and a built-in
 * program are open:
 * what the parent had (its locks, its directories) must neither be kept alive
 * by a container that waits nor reach the program. And what follows looks up
 * paths of the image, whose links could name a directory of the host that is
 * open here: /proc/self/fd/7/../.. (CVE-2024-21626). */
static void forget_host(struct init *in)
{
	int base = 3 + (int)in->p->process.preserve_fds;
	int *kept[] = { &in->sync, &in->start, &in->program };
	const int n = sizeof kept / sizeof kept[0];

	in->start = in->f->start;
	in->program = in->f->program;
	for (int i = 0; i < n; i++) /* out of each other's way */
		if (*kept[i] >= 0)
			*kept[i] = init_must(in, sys_fcntl(*kept[i], F_DUPFD_CLOEXEC, base + n), STAGE_FDS, 0);
	for (int i = 0; i < n; i++)
		if (*kept[i] >= 0)
			*kept[i] = init_must(in, sys_dup3(*kept[i], base + i, O_CLOEXEC), STAGE_FDS, 1);
		else
			sys_close(base + i);
	fd_close_from((unsigned)(base + n));
	for (int fd = 3; fd < base; fd++)
		init_must(in, sys_fcntl(fd, F_SETFD, 0), STAGE_FDS, (uint32_t)fd);
	in->root = in->null = in->mask_tmpfs = in->parent.fd = -1;
}

/* START comes over a connection, and one that closes without a word was a `start`
 * that died. */
static enum hs_phase hear_from_start(struct init *in)
{
	enum hs_phase got;

	do {
		sys_close(in->sync);
		do
			in->sync = sys_accept(in->start);
		while (in->sync == -EINTR || in->sync == -ECONNABORTED);
		if (in->sync < 0)
			_exit(INIT_EXIT_SILENT);
		got = hear(in);
	} while (got == HS_NONE);
	return got;
}

/* Our parent has left its end to somebody who has died: only `delete` is left. */
static enum hs_phase hear_from_heir(struct init *in)
{
	enum hs_phase got = hear(in);

	if (got == HS_NONE)
		for (;;)
			pause();
	return got;
}

/* Created: the parent now sets limits by pid and either starts us at once or
 * leaves. */
static void wait_for_start(struct init *in)
{
	enum hs_phase got;

	init_tell(in, HS_CREATED, 0);
	got = hear(in);
	if (got == HS_DETACH)
		got = in->start < 0 ? hear_from_heir(in) : hear_from_start(in);
	if (got == HS_NONE)
		_exit(INIT_EXIT_SILENT);
	if (got != HS_START)
		init_fail(in, STAGE_PROTOCOL, (uint32_t)got, -EPROTO);
	if (in->p->stop_for_start_hooks) {
		init_tell(in, HS_STARTING, 0);
		init_expect(in, HS_HOOKED);
	}
}

_Noreturn void init_main(const struct plan *p, const struct init_fds *f)
{
	static struct init storage; /* two paths: too large for a small stack, and the child's own copy */
	struct init *in = &storage;

	in->p = p;
	in->f = f;
	in->sync = f->sync;
	in->start = in->program = in->kernel_fs[0] = in->kernel_fs[1] = -1;
	in->root = in->null = in->mask_tmpfs = in->parent.fd = -1;

	sys_close(f->parent_sync);
	pass_gate(in);
	if (f->settings)
		apply_settings(in);
	join_cgroups(in);
	if (f->enter_target)
		join_target(in); /* undumpable already; see clone_init() */
	if (p->process.affinity_final)
		init_must(in, affinity_set(0, p->process.affinity_final), STAGE_SETTING,
			  SETTING_AFFINITY);
	if (f->wait_for_maps) {
		init_tell(in, HS_CLONED, 0);
		init_expect(in, HS_MAPPED);
		init_must(in, become_root(p), STAGE_USER_ROOT, 0);
		if (p->new_ns & CLONE_NEWIPC) /* not before we are root of it; see clone_init() */
			init_must(in, sys_unshare(CLONE_NEWIPC), STAGE_UNSHARE, CLONE_NEWIPC);
	}
	/* Not to be traced or looked into through /proc by what shares our
	 * namespaces; execve undoes it. Only now, as the owner of an undumpable
	 * process's /proc files is root, who has to write our id maps. */
	init_must(in, sys_prctl(PR_SET_DUMPABLE, 0, 0, 0), STAGE_SESSION, 0);
	own_session(in);
	if (p->loopback_up)
		loopback_up(in);
	umask(0);
	if (p->kind == PLAN_CONTAINER && p->own_mount_ns)
		make_file_system(in);
	else
		enter_file_system(in);
	init_names(in);
	init_labels(in);
	forget_host(in);
	init_credentials(in);
	init_home(in);
	init_lookup(in);
	wait_for_start(in);
	sys_default_signals(); /* before the filter, which may forbid it */
	if (p->process.builtin_init)
		sys_block_signals();
	init_finish_credentials(in);
	init_exec(in);
}
