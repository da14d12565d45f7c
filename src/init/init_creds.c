/* Who the process is and what it may do: names, sysctl, ids, capabilities,
 * labels, no_new_privs and the seccomp filter. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>

#include "fd.h"
#include "init.h"
#include "rootfs.h"
#include "sys.h"

/* A file of the host's procfs, which launch opened before anything of the
 * container existed; what is mounted over parts of it is not entered. */
int init_proc_open(struct init *in, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOCTTY),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS,
	};
	struct statfs fs;
	int fd = sys_openat2(in->f->proc, path, &how), r;

	if (sys_refused(fd))
		fd = sys_openat(in->f->proc, path, flags | O_CLOEXEC | O_NOCTTY, 0);
	if (fd < 0)
		return fd;
	r = sys_fstatfs(fd, &fs);
	if (r >= 0 && fs.f_type == PROC_SUPER_MAGIC)
		return fd;
	sys_close(fd);
	return r < 0 ? r : -EXDEV;
}

static int proc_write(struct init *in, const char *path, const char *value)
{
	OWN_FD fd = init_proc_open(in, path, O_WRONLY);

	return fd < 0 ? fd : fd_write_all(fd, value, strlen(value));
}

/* "net.ipv4.ip_forward" is sys/net/ipv4/ip_forward; a key that has slashes is
 * a path already (spec_linux.c has checked both). */
static int write_sysctl(struct init *in, const struct plan_kv *kv)
{
	char path[PATH_MAX] = "sys/";
	size_t n = strlen(kv->key);
	bool dots = !strchr(kv->key, '/');

	if (n + 5 > sizeof path)
		return -ENAMETOOLONG;
	for (size_t i = 0; i <= n; i++)
		path[4 + i] = dots && kv->key[i] == '.' ? '/' : kv->key[i];
	return proc_write(in, path, kv->value);
}

void init_names(struct init *in)
{
	const struct plan *p = in->p;

	if (p->hostname)
		init_must(in, sys_sethostname(p->hostname, strlen(p->hostname)), STAGE_HOSTNAME, 0);
	if (p->domainname)
		init_must(in, sys_setdomainname(p->domainname, strlen(p->domainname)),
			  STAGE_DOMAINNAME, 0);
	for (uint32_t i = 0; i < p->n_sysctl; i++)
		init_must(in, write_sysctl(in, &p->sysctl[i]), STAGE_SYSCTL, i);
}

/* The process owns its stdio, as under runc; the null device stays the host's,
 * whatever the image has at /dev/null. */
static void own_stdio(struct init *in)
{
	struct stat st;

	for (int fd = 0; fd < 3; fd++) {
		if (sys_fstat(fd, &st) < 0 || st.st_uid == in->p->process.uid)
			continue;
		if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
			continue;
		sys_fchownat(fd, "", in->p->process.uid, (gid_t)-1, AT_EMPTY_PATH);
	}
}

static int verify_cwd(void)
{
	char path[PATH_MAX];
	ssize_t n = sys_getcwd(path, sizeof path);

	if (n < 0)
		return (int)n;
	return path[0] == '/' ? 0 : -ENOENT; /* "(unreachable)": outside the root (CVE-2024-21626) */
}

/* Below our root, and through no magic link. */
static int make_cwd(const char *cwd)
{
	OWN_FD root = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	OWN_FD fd = root < 0 ? root : rootfs_make_dir(root, cwd, 0755);

	return fd < 0 ? fd : 0;
}

/* As root first; a directory that only the user may enter is tried again. */
static int enter_cwd(struct init *in, bool again)
{
	const struct plan_process *pr = &in->p->process;
	int r = sys_chdir(pr->cwd);

	if (r == -ENOENT && pr->make_cwd && !again) {
		r = make_cwd(pr->cwd);
		if (r >= 0)
			r = sys_chdir(pr->cwd);
	}
	return r < 0 ? r : verify_cwd();
}

/* Until start, CAP_SYS_ADMIN stays when the filter still has to be loaded
 * without no_new_privs. It gives no access to files, so the program is looked
 * up with the user's own rights. */
static uint64_t caps_until_start(const struct plan_process *pr)
{
	return pr->filter.n && !pr->no_new_privs ? 1ull << CAP_SYS_ADMIN : 0;
}

static int write_label(struct init *in, const char *prefix, const char *label)
{
	char buf[PATH_MAX];
	size_t n = strlen(prefix), m = strlen(label);
	OWN_FD fd = init_proc_open(in, "thread-self/attr/exec", O_WRONLY);

	if (fd < 0)
		return fd;
	if (n + m >= sizeof buf)
		return -ENAMETOOLONG;
	memcpy(buf, prefix, n);
	memcpy(buf + n, label, m);
	return fd_write_all(fd, buf, n + m);
}

void init_labels(struct init *in)
{
	const struct plan_process *pr = &in->p->process;

	if (pr->has_personality)
		init_must(in, sys_personality(pr->personality), STAGE_PERSONALITY, 0);
	if (pr->apparmor)
		init_must(in, write_label(in, "exec ", pr->apparmor), STAGE_APPARMOR, 0);
	if (pr->selinux)
		init_must(in, write_label(in, "", pr->selinux), STAGE_SELINUX, 0);
}

void init_credentials(struct init *in)
{
	const struct plan_process *pr = &in->p->process;
	struct identity_error why;
	int r, done;

	r = enter_cwd(in, false);
	if (r < 0 && r != -EACCES)
		init_fail(in, STAGE_CWD, 0, r);
	own_stdio(in);
	done = identity_set_ids(in->p, &why);
	if (done >= 0 && r < 0)
		init_must(in, enter_cwd(in, true), STAGE_CWD, 0);
	if (done >= 0)
		done = identity_take_caps(in->p, caps_until_start(pr), &why);
	if (done < 0)
		init_fail(in, why.stage, why.index, done);
}

/* The listener is an fd below the program's limit, which may be the lowest that
 * is of any use. The handshake steps aside for it: what is open above stays so. */
static void make_room(struct init *in)
{
	int sync;

	sys_close(in->start);
	in->start = -1;
	sync = init_must(in, sys_fcntl(in->sync, F_DUPFD_CLOEXEC, in->sync + 1), STAGE_FDS, 0);
	sys_close(in->sync);
	in->sync = sync;
}

static void load_filter(struct init *in)
{
	const struct plan_process *pr = &in->p->process;
	struct sock_fprog prog = { .len = pr->filter.n, .filter = pr->filter.insns };
	int fd;

	/* Nothing but the handshake is open any more, and execve is next. */
	if (in->p->listener_needs_dumpable)
		init_must(in, sys_prctl(PR_SET_DUMPABLE, 1, 0, 0), STAGE_SECCOMP, 1);
	fd = init_must(in, sys_seccomp(SECCOMP_SET_MODE_FILTER, pr->filter.flags, &prog),
		       STAGE_SECCOMP, 0);
	if (!(pr->filter.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return;
	/* The parent takes it with pidfd_getfd: sendmsg may be notified. */
	init_tell(in, HS_LISTENER, (uint32_t)fd);
	init_expect(in, HS_TAKEN);
	sys_close(fd);
}

void init_finish_credentials(struct init *in)
{
	const struct plan_process *pr = &in->p->process;
	const struct plan_caps *c = &pr->caps;

	if (pr->filter.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
		make_room(in);
	init_rlimits(in);
	if (!pr->filter.n)
		return;
	load_filter(in);
	if (caps_until_start(pr) & ~c->permitted)
		init_must(in, identity_set_caps(c->effective, c->permitted, c->inheritable), STAGE_CAPS, 1);
}
