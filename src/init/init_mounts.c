/* Mounting by fd: the new mount API first, and mount(2) on /proc/self/fd where
 * a kernel or a filter refuses it. Also the two ends of making a root: its
 * first mount and pivot_root. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "fd.h"
#include "init.h"
#include "rootfs.h"
#include "sys.h"

struct fd_path path_of_fd(int fd)
{
	struct fd_path p = { "/proc/self/fd/" };
	char digits[12];
	size_t n = 0, at = strlen(p.s);

	do
		digits[n++] = (char)('0' + fd % 10);
	while ((fd /= 10));
	while (n)
		p.s[at++] = digits[--n];
	p.s[at] = '\0';
	return p;
}

/* MS_* bits of mount(2) as MOUNT_ATTR_* bits. */
static uint64_t attrs_of(unsigned long flags)
{
	static const struct {
		unsigned long ms;
		uint64_t attr;
	} map[] = {
		{ MS_RDONLY, SYS_ATTR_RDONLY },
		{ MS_NOSUID, SYS_ATTR_NOSUID },
		{ MS_NODEV, SYS_ATTR_NODEV },
		{ MS_NOEXEC, SYS_ATTR_NOEXEC },
		{ MS_NOATIME, SYS_ATTR_NOATIME },
		{ MS_STRICTATIME, SYS_ATTR_STRICTATIME },
		{ MS_NODIRATIME, SYS_ATTR_NODIRATIME },
		{ MS_NOSYMFOLLOW, SYS_ATTR_NOSYMFOLLOW },
	};
	uint64_t attrs = 0;

	if (flags & MS_STRICTATIME)
		flags &= ~(unsigned long)MS_NOATIME; /* as mount(2) does; an attribute of both is refused */
	for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
		if (flags & map[i].ms)
			attrs |= map[i].attr;
	return attrs;
}

static const unsigned long ATIME_FLAGS = MS_NOATIME | MS_RELATIME | MS_STRICTATIME;
static const unsigned long MOUNT_FLAGS = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC |
					 MS_NOATIME | MS_RELATIME | MS_STRICTATIME |
					 MS_NODIRATIME | MS_NOSYMFOLLOW;

/* What statvfs says the mount has now; its ST_* bits equal the MS_* bits but
 * for relatime. */
static int current_flags(int fd, unsigned long *ret)
{
	struct statfs st;
	int r = sys_fstatfs(fd, &st);

	if (r < 0)
		return r;
	*ret = (unsigned long)st.f_flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC |
					    MS_NOATIME | MS_NODIRATIME);
	if ((unsigned long)st.f_flags & ST_RELATIME)
		*ret |= MS_RELATIME;
	return 0;
}

static int remount_flags(int fd, unsigned long set, unsigned long clear)
{
	struct fd_path path = path_of_fd(fd);
	unsigned long now;
	int r = current_flags(fd, &now);

	if (r < 0)
		return r;
	if (set & ATIME_FLAGS)
		now &= ~ATIME_FLAGS;
	now = (now & ~clear) | set;
	return sys_mount(NULL, path.s, NULL, MS_BIND | MS_REMOUNT | now, NULL);
}

int mount_set_flags(int fd, unsigned long set, unsigned long clear)
{
	struct sys_mount_attr attr = {
		.attr_set = attrs_of(set),
		.attr_clr = attrs_of(clear & ~set),
	};
	int r;

	set &= MOUNT_FLAGS;
	clear &= MOUNT_FLAGS;
	if (!set && !clear)
		return 0;
	attr.attr_clr &= ~(uint64_t)SYS_ATTR__ATIME;
	if ((set | clear) & ATIME_FLAGS)
		attr.attr_clr |= SYS_ATTR__ATIME;
	r = sys_mount_setattr(fd, "", AT_EMPTY_PATH, &attr);
	return sys_refused(r) ? remount_flags(fd, set, clear) : r;
}

int mount_set_propagation(int fd, unsigned long flags)
{
	struct sys_mount_attr attr = { .propagation = flags & ~(unsigned long)MS_REC };
	int r = sys_mount_setattr(fd, "", AT_EMPTY_PATH | (flags & MS_REC ? AT_RECURSIVE : 0),
				  &attr);

	if (sys_refused(r)) {
		struct fd_path path = path_of_fd(fd);

		r = sys_mount(NULL, path.s, NULL, flags, NULL);
	}
	return r;
}

static bool is_directory(int fd)
{
	struct stat st;

	return sys_fstat(fd, &st) >= 0 && S_ISDIR(st.st_mode);
}

int mount_attach(int tree, int target)
{
	int r = sys_move_mount(tree, "", target, "",
			       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);

	/* A file on a directory or the reverse: say what mount(2) says, as
	 * callers know those words. */
	return r == -EINVAL && is_directory(tree) != is_directory(target) ? -ENOTDIR : r;
}

int mount_clone(struct init *in, int dir, const char *path, bool recursive)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

	if (in->old_mount_api)
		return -ENOSYS;
	if (!*path)
		flags |= AT_EMPTY_PATH;
	if (recursive)
		flags |= AT_RECURSIVE;
	return sys_open_tree(dir, path, flags);
}

/* Not one of the source's peers: what is mounted on the one must not show on the
 * other, which may be the host's. Only mount(2) wants it attached for that. */
static int attach_alone(int tree, int target)
{
	int alone = mount_set_propagation(tree, MS_PRIVATE), r;

	if (alone < 0 && alone != -EINVAL && alone != -EPERM)
		return alone;
	r = mount_attach(tree, target);
	return r >= 0 && alone < 0 ? mount_set_propagation(tree, MS_PRIVATE) : r;
}

static int old_bind_fd(struct init *in, int source, int target, const char *name, bool recursive)
{
	struct fd_path from = path_of_fd(source), to = path_of_fd(target);
	int last = mount_last(in), fd, r;

	r = last < 0 ? last : sys_mount(from.s, to.s, NULL, MS_BIND | (recursive ? MS_REC : 0), NULL);
	fd = r < 0 ? r : mount_made(in, name, last);
	if (fd < 0 || recursive)
		return fd;
	r = mount_set_propagation(fd, MS_PRIVATE);
	if (r >= 0)
		return fd;
	sys_close(fd);
	return r;
}

int mount_bind_fd(struct init *in, int source, int target, const char *name, bool recursive)
{
	int tree = mount_clone(in, source, "", recursive), r;

	if (sys_refused(tree))
		return old_bind_fd(in, source, target, name, recursive);
	if (tree < 0)
		return tree;
	r = recursive ? mount_attach(tree, target) : attach_alone(tree, target);
	if (r >= 0)
		return tree;
	sys_close(tree);
	return r;
}

/* A shared parent would send our mounts on it to the host, and pivot_root
 * refuses it. The mount point is the nearest ancestor that takes the call. */
static int make_parent_private(const char *rootfs)
{
	char path[PATH_MAX];
	size_t n = strlen(rootfs);
	int r;

	if (n >= sizeof path)
		return -ENAMETOOLONG;
	memcpy(path, rootfs, n + 1);
	while ((r = sys_mount(NULL, path, NULL, MS_PRIVATE, NULL)) == -EINVAL && n > 1) {
		while (n > 1 && path[--n] != '/')
			;
		path[n ? n : 1] = '\0';
	}
	return r;
}

static int attach_root(struct init *in, int tree)
{
	OWN_FD at = init_must(in, sys_openat(AT_FDCWD, in->p->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC, 0),
			      STAGE_ROOTFS, 0);

	return mount_attach(tree, at);
}

void init_root(struct init *in)
{
	const struct plan *p = in->p;
	int tree, r;

	init_must(in, sys_mount(NULL, "/", NULL, p->root_propagation, NULL), STAGE_ROOT_PROP, 0);
	/* without MS_REC the root may be on a mount that was left as it was */
	if (p->root_propagation & MS_SHARED || !(p->root_propagation & MS_REC))
		init_must(in, make_parent_private(p->rootfs), STAGE_ROOT_PROP, 0);
	in->null = init_must(in, sys_openat(AT_FDCWD, "/dev/null", O_PATH | O_CLOEXEC, 0),
			     STAGE_ROOTFS, 0);
	tree = mount_clone(in, AT_FDCWD, p->rootfs, true);
	r = tree < 0 ? tree : attach_root(in, tree);
	if (!sys_refused(r)) {
		init_must(in, r, STAGE_ROOTFS, 0);
		in->root = tree;
		return;
	}
	/* Without one of the new calls the others are of no use, here and below. */
	sys_close(tree);
	in->old_mount_api = true;
	init_must(in, sys_mount(p->rootfs, p->rootfs, NULL, MS_BIND | MS_REC, NULL), STAGE_ROOTFS, 0);
	in->root = init_must(in, sys_openat(AT_FDCWD, p->rootfs, O_PATH | O_CLOEXEC, 0), STAGE_ROOTFS, 0);
}

/* pivot_root(".", ".") stacks the old root on the new one, from where it is
 * detached; slave first (unless everything is), so that no unmount reaches the
 * host. */
static int pivot(struct init *in)
{
	const unsigned long slave = MS_SLAVE | MS_REC;
	int old = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0), r;

	if (old < 0)
		return old;
	r = sys_fchdir(in->root);
	if (r >= 0)
		r = sys_pivot_root(".", ".");
	if (r >= 0)
		r = sys_fchdir(old);
	if (r >= 0 && in->p->root_propagation != slave)
		r = sys_mount(NULL, ".", NULL, slave, NULL);
	if (r >= 0)
		r = sys_umount2(".", MNT_DETACH);
	sys_close(old);
	return r < 0 ? r : sys_chdir("/");
}

static int move_root(struct init *in)
{
	int r = sys_fchdir(in->root);

	if (r >= 0)
		r = sys_mount(".", "/", NULL, MS_MOVE, NULL);
	if (r >= 0)
		r = sys_chroot(".");
	return r < 0 ? r : sys_chdir("/");
}

void init_pivot(struct init *in)
{
	const struct plan *p = in->p;

	init_must(in, p->no_pivot ? move_root(in) : pivot(in), STAGE_PIVOT, 0);
	if (p->final_propagation)
		init_must(in, sys_mount(NULL, "/", NULL, p->final_propagation, NULL),
			  STAGE_FINAL_PROP, 0);
}
