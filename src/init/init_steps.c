/* The steps of the plan that make a file system, one function per kind. A
 * target is always reached through the root's fd; see rootfs.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fd.h"
#include "init.h"
#include "rootfs.h"
#include "sys.h"

/* Superblock flags, which fsconfig takes as words. Read-only is both, if it may:
 * of the superblock here and of the mount in mount_set_flags(). */
static const struct {
	unsigned long ms;
	const char *word;
} sb_flags[] = {
	{ MS_RDONLY, "ro" },
	{ MS_SYNCHRONOUS, "sync" },
	{ MS_DIRSYNC, "dirsync" },
	{ MS_LAZYTIME, "lazytime" },
	{ MS_MANDLOCK, "mand" },
};

/* "context=" and its kin of SELinux, whose labels have commas: quoted. */
static bool is_label(const char *s)
{
	const char *eq = strchr(s, '=');

	return eq && eq - s >= 7 && !memcmp(eq - 7, "context", 7) && eq[1] == '"';
}

/* One "key=value" or "key" of the option string, up to the next comma that is
 * not escaped, nor part of a label. Returns where the next one begins. */
static const char *next_option(const char *s, char *key, size_t cap, char **value)
{
	const char *quote = NULL;
	size_t n = 0;

	while (s[n] && (s[n] != ',' || (n && s[n - 1] == '\\')))
		n++;
	if (is_label(s) && strchr(s, '"') < s + n)
		quote = strchr(strchr(s, '"') + 1, '"');
	if (quote)
		n = (size_t)(quote - s);
	if (n >= cap)
		return NULL;
	memcpy(key, s, n);
	key[n] = '\0';
	*value = strchr(key, '=');
	if (*value)
		*(*value)++ = '\0';
	if (quote) {
		(*value)++;
		n++;
	}
	return s[n] ? s + n + 1 : s + n;
}

/* Not read-only: that of a namespace, which another container in it gets too,
 * where its mount may be meant for writing, and one that is yet to be filled. */
static bool may_set(const struct fs_step *s, unsigned long flag)
{
	return flag != MS_RDONLY || !(s->copy_up || !strcmp(s->fstype, "sysfs") ||
				      !strcmp(s->fstype, "proc") || !strcmp(s->fstype, "mqueue"));
}

static int configure(int fs, const struct fs_step *s, const char *mode)
{
	char option[PATH_MAX], *value;
	int r = 0;

	if (s->source && *s->source)
		r = sys_fsconfig(fs, SYS_FSCONFIG_SET_STRING, "source", s->source);
	for (size_t i = 0; r >= 0 && i < sizeof sb_flags / sizeof sb_flags[0]; i++)
		if (s->flags & sb_flags[i].ms && may_set(s, sb_flags[i].ms))
			r = sys_fsconfig(fs, SYS_FSCONFIG_SET_FLAG, sb_flags[i].word, NULL);
	if (r >= 0 && mode)
		r = sys_fsconfig(fs, SYS_FSCONFIG_SET_STRING, "mode", mode);
	for (const char *p = s->data; r >= 0 && p && *p;) {
		p = next_option(p, option, sizeof option, &value);
		if (!p)
			return -ENAMETOOLONG;
		if (!*option)
			continue;
		r = value ? sys_fsconfig(fs, SYS_FSCONFIG_SET_STRING, option, value) :
			    sys_fsconfig(fs, SYS_FSCONFIG_SET_FLAG, option, NULL);
	}
	return r < 0 ? r : sys_fsconfig(fs, SYS_FSCONFIG_CMD_CREATE, NULL, NULL);
}

/* A new superblock as a detached mount. */
static int new_mount(struct init *in, const struct fs_step *s, const char *mode)
{
	int fs, r;

	if (in->old_mount_api)
		return -ENOSYS;
	fs = sys_fsopen(s->fstype, SYS_FSOPEN_CLOEXEC);
	if (fs < 0)
		return fs;
	r = configure(fs, s, mode);
	/* Of a host whose own is read-only a user namespace may have only such a one. */
	if (r >= 0)
		r = sys_fsmount(fs, SYS_FSMOUNT_CLOEXEC,
				s->flags & MS_RDONLY && !s->copy_up ? SYS_ATTR_RDONLY : 0);
	sys_close(fs);
	return r;
}

/* The same with mount(2), straight onto the target. */
static int old_mount(struct init *in, const struct fs_step *s, int target, const char *mode)
{
	unsigned long flags = s->flags & ~(unsigned long)(MS_BIND | MS_REC);
	struct fd_path path = path_of_fd(target);
	size_t n = s->data ? strlen(s->data) : 0;
	char data[PATH_MAX];
	int r, last = mount_last(in);

	if (last < 0)
		return last;
	if (n + 16 >= sizeof data)
		return -ENAMETOOLONG;
	memcpy(data, s->data ? s->data : "", n + 1);
	if (mode) {
		strcat(data, n ? ",mode=" : "mode=");
		strcat(data, mode);
	}
	if (!may_set(s, MS_RDONLY))
		flags &= ~(unsigned long)MS_RDONLY;
	r = sys_mount(s->source, path.s, s->fstype, flags, data);
	if (r == -EPERM && (s->flags & ~flags) & MS_RDONLY) /* as in new_mount() */
		r = sys_mount(s->source, path.s, s->fstype, flags | MS_RDONLY, data);
	return r < 0 ? r : mount_made(in, s->target, last);
}

static const char *const kernel_fs_at[] = { "/proc", "/sys" };

static int keep_kernel_fs(struct init *in, int fd, const struct fs_step *s)
{
	for (size_t i = 0; i < sizeof kernel_fs_at / sizeof kernel_fs_at[0]; i++)
		if (!strcmp(s->target, kernel_fs_at[i])) {
			fd_closep(&in->kernel_fs[i]);
			in->kernel_fs[i] = sys_fcntl(fd, F_DUPFD_CLOEXEC, 0);
			return in->kernel_fs[i];
		}
	return 0;
}

/* What is masked or made read-only. Who shares the root with us could put a link
 * in the place of /proc for a moment, so that there is nothing to mask. */
static int open_late_target(struct init *in, const char *target)
{
	for (size_t i = 0; i < sizeof kernel_fs_at / sizeof kernel_fs_at[0]; i++) {
		size_t n = strlen(kernel_fs_at[i]);

		if (in->kernel_fs[i] >= 0 && !strncmp(target, kernel_fs_at[i], n) &&
		    target[n] == '/' && !strstr(target, "/.."))
			return rootfs_open(in->kernel_fs[i], target + n + 1, O_PATH);
	}
	return rootfs_open(in->root, target, O_PATH);
}

/* Flags, attributes of the whole tree and propagation of a mount just made. */
static int settle(struct init *in, int fd, const struct fs_step *s)
{
	int r = mount_set_flags(fd, s->flags, s->cleared);

	/* In a user namespace flags that the host locked cannot be cleared;
	 * the mount keeps them. */
	if (r == -EPERM && s->cleared)
		r = mount_set_flags(fd, s->flags, 0);
	if (r >= 0 && (s->rec_set || s->rec_clear)) {
		struct sys_mount_attr attr = { .attr_set = s->rec_set, .attr_clr = s->rec_clear };

		if ((s->rec_set | s->rec_clear) & SYS_ATTR__ATIME)
			attr.attr_clr |= SYS_ATTR__ATIME;
		r = sys_mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr);
	}
	for (uint32_t i = 0; r >= 0 && i < s->n_propagation; i++)
		r = mount_set_propagation(fd, s->propagation[i]);
	return r < 0 ? r : keep_kernel_fs(in, fd, s);
}

static void octal(char *s, mode_t mode)
{
	int shift = 9;

	while (shift >= 0) {
		*s++ = (char)('0' + ((mode >> shift) & 7));
		shift -= 3;
	}
	*s = '\0';
}

/* A link of the image may not lead a mount into procfs, where it could hide or
 * fake what the runtime and the container's own programs trust. */
static int check_not_proc(int target, const struct fs_step *s)
{
	struct statfs fs;
	int r = s->on_proc ? 0 : sys_fstatfs(target, &fs);

	return r < 0 || s->on_proc || fs.f_type != PROC_SUPER_MAGIC ? r : -EXDEV;
}

/* A new directory: nothing of the image, and no link to anywhere. */
static int fresh_dir(struct init *in, const char *target)
{
	char leaf[NAME_MAX + 1];
	int dir = rootfs_parent(in->root, &in->parent, target, leaf);
	int r = dir < 0 ? dir : sys_mkdirat(dir, leaf, 0755);

	return r < 0 ? r : sys_openat(dir, leaf, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
}

/* A directory to mount on; *made: it was not there, else *st describes it. /proc
 * and /sys must not be redirected by a symbolic link of the image. */
static int open_target_dir(struct init *in, const struct fs_step *s, struct stat *st, bool *made)
{
	int fd = rootfs_knows_parent(&in->parent, s->target) ? fresh_dir(in, s->target) : -ENOENT;
	int r;

	*made = fd >= 0;
	if (*made)
		return fd;
	rootfs_forget(&in->parent);
	fd = rootfs_open(in->root, s->target, O_PATH | (s->no_symlink ? O_NOFOLLOW : 0));
	*made = fd == -ENOENT;
	if (*made) {
		fd = fresh_dir(in, s->target);
		if (fd >= 0)
			return fd;
		rootfs_forget(&in->parent);
		fd = rootfs_make_dir(in->root, s->target, 0755); /* through a link that led nowhere */
	}
	if (fd < 0)
		return fd;
	r = sys_fstat(fd, st);
	if (r >= 0 && !S_ISDIR(st->st_mode))
		r = -ENOTDIR;
	if (r >= 0)
		r = check_not_proc(fd, s);
	if (r >= 0)
		return fd;
	sys_close(fd);
	return r;
}

static int step_mount(struct init *in, const struct fs_step *s, int *kept)
{
	struct stat st;
	bool made;
	OWN_FD target = open_target_dir(in, s, &st, &made);
	OWN_FD fd = -1;
	char octets[8], *mode = NULL;
	int r;

	if (target < 0)
		return target;
	/* A directory that was not there has no mode to keep: the file system's
	 * own default, 1777 for tmpfs. */
	if (s->keep_mode && !made) {
		octal(octets, st.st_mode & 07777);
		mode = octets;
	}
	fd = new_mount(in, s, mode);
	r = fd;
	if (r >= 0)
		r = mount_attach(fd, target);
	if (sys_refused(fd))
		fd = r = old_mount(in, s, target, mode);
	if (r >= 0 && s->copy_up)
		r = copy_up(target, fd);
	if (r >= 0)
		r = settle(in, fd, s);
	if (r >= 0 && s->kept)
		*kept = take_fd(&fd);
	return r < 0 ? r : 0;
}

static int bind_target(struct init *in, const struct fs_step *s, int source)
{
	struct stat st;
	bool made;
	int r = sys_fstat(source, &st), fd;

	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode))
		return open_target_dir(in, s, &st, &made);
	rootfs_forget(&in->parent);
	fd = rootfs_make_file(in->root, s->target, 0755);
	r = fd < 0 ? fd : check_not_proc(fd, s);
	if (r >= 0)
		return fd;
	sys_close(fd);
	return r;
}

/* bind without open_tree(2) */
static int old_bind(struct init *in, const struct fs_step *s, const char *from)
{
	OWN_FD source = sys_openat(AT_FDCWD, from, O_PATH | O_CLOEXEC, 0);
	OWN_FD target = -1, fd = -1;
	struct fd_path path;
	int r, last;

	if (source < 0)
		return source;
	target = bind_target(in, s, source);
	if (target < 0)
		return target;
	path = path_of_fd(target);
	last = mount_last(in);
	r = last < 0 ? last : sys_mount(from, path.s, NULL, MS_BIND | (s->recursive ? MS_REC : 0), NULL);
	if (r >= 0)
		fd = r = mount_made(in, s->target, last);
	return r < 0 ? r : settle(in, fd, s);
}

static bool is_in_user_ns(const struct plan *p)
{
	bool joined = false;

	for (uint32_t i = 0; i < p->n_joins; i++)
		joined = joined || p->joins[i].type == CLONE_NEWUSER;
	return joined || p->own_user_ns;
}

/* A tree of the parent's mount namespace, where it may be shared: as it would
 * have become in ours, which for a user namespace is the host's slave whatever
 * rootfsPropagation says, or root in there could mount on the host. */
static int leave_host(const struct plan *p, int tree)
{
	bool shared = p->root_propagation & MS_SHARED;
	int r;

	if (shared && !is_in_user_ns(p))
		return 0;
	r = mount_set_propagation(tree, MS_SLAVE | MS_REC);
	if (r >= 0 && shared && p->root_propagation & MS_REC)
		r = mount_set_propagation(tree, MS_SHARED | MS_REC);
	return r;
}

/* It leaves the host first: on a shared mount it becomes a shared one. Only mount(2)
 * wants it attached for that, and to a mount namespace of our own (EPERM); nobody
 * mounts on it before. */
static int attach_prepared(const struct plan *p, int tree, int target)
{
	int left = leave_host(p, tree), r;

	if (left < 0 && left != -EINVAL && left != -EPERM)
		return left;
	r = mount_attach(tree, target);
	return r >= 0 && left < 0 ? leave_host(p, tree) : r;
}

static int step_bind(struct init *in, const struct fs_step *s, int prepared)
{
	const char *from = s->source;
	OWN_FD tree = -1, target = -1;
	int r;

	if (s->fallback && sys_faccessat(AT_FDCWD, from, F_OK) == -ENOENT)
		from = s->fallback;
	tree = prepared >= 0 ? prepared : mount_clone(in, AT_FDCWD, from, s->recursive);
	if (tree == -ENOENT && s->optional)
		return 0;
	r = tree;
	if (r >= 0)
		target = r = bind_target(in, s, tree);
	if (r >= 0)
		r = prepared >= 0 ? attach_prepared(in->p, tree, target) : mount_attach(tree, target);
	if (sys_refused(r) && !s->idmap && !s->idmap_recursive)
		return old_bind(in, s, from);
	return r < 0 ? r : settle(in, tree, s);
}

static int step_dir(struct init *in, const struct fs_step *s)
{
	OWN_FD fd = rootfs_make_dir(in->root, s->target, s->mode ? s->mode : 0755);

	return fd < 0 ? fd : 0;
}

/* A device that cannot be made here is the host's own, bound. */
static int bind_device(struct init *in, const struct fs_step *s)
{
	OWN_FD source = sys_openat(AT_FDCWD, s->source ? s->source : s->target,
				   O_PATH | O_CLOEXEC, 0);
	OWN_FD target = -1, fd = -1;
	struct stat st;
	int r = source;

	if (r >= 0)
		r = sys_fstat(source, &st);
	if (r < 0)
		return r;
	if ((st.st_mode & S_IFMT) != (s->mode & S_IFMT) || st.st_rdev != s->dev)
		return -ENODEV;
	target = r = rootfs_make_file(in->root, s->target, 0666);
	if (r >= 0)
		fd = r = mount_bind_fd(in, source, target, s->target, false);
	return r < 0 ? r : 0;
}

/* What is in the place of a device already: the same one, or it is an error. */
static int is_device(const struct fs_step *s, int dir, const char *leaf)
{
	struct stat st;
	int r = sys_fstatat(dir, leaf, &st, AT_SYMLINK_NOFOLLOW);

	if (r < 0)
		return r;
	if ((st.st_mode & S_IFMT) != (s->mode & S_IFMT))
		return -EEXIST;
	return S_ISFIFO(s->mode) || st.st_rdev == s->dev ? 0 : -EEXIST;
}

static int step_node(struct init *in, const struct fs_step *s)
{
	char leaf[NAME_MAX + 1];
	int dir, r;

	if (in->p->own_user_ns && !S_ISFIFO(s->mode))
		return bind_device(in, s);
	dir = r = rootfs_parent(in->root, &in->parent, s->target, leaf);
	if (r < 0)
		return r;
	r = sys_mknodat(dir, leaf, s->mode, s->dev);
	if (r == -EEXIST)
		return s->skip_exists ? 0 : is_device(s, dir, leaf);
	if (r == -EPERM)
		return bind_device(in, s);
	if (r >= 0 && (s->uid || s->gid))
		r = sys_fchownat(dir, leaf, s->uid, s->gid, AT_SYMLINK_NOFOLLOW);
	return r;
}

static int step_symlink(struct init *in, const struct fs_step *s)
{
	char leaf[NAME_MAX + 1];
	int dir = rootfs_parent(in->root, &in->parent, s->target, leaf), r;

	if (dir < 0)
		return dir;
	r = sys_symlinkat(s->source, dir, leaf);
	if (r != -EEXIST)
		return r;
	if (s->skip_exists)
		return 0;
	r = sys_unlinkat(dir, leaf, 0);
	return r < 0 ? r : sys_symlinkat(s->source, dir, leaf);
}

/* The first masked directory gets the tmpfs, the others a bind of it: one
 * superblock to make and to tear down. */
static int mask_dir(struct init *in, int target, const struct fs_step *s)
{
	const struct fs_step tmpfs = {
		.target = s->target,
		.source = "tmpfs",
		.fstype = "tmpfs",
		.flags = MS_RDONLY,
	};
	int r;

	if (in->mask_tmpfs >= 0) {
		OWN_FD fd = mount_bind_fd(in, in->mask_tmpfs, target, s->target, false);

		/* A bind starts with its own flags, the superblock stays read-only. */
		return fd < 0 ? fd : mount_set_flags(fd, MS_RDONLY, 0);
	}
	r = new_mount(in, &tmpfs, NULL);
	if (sys_refused(r)) {
		r = old_mount(in, &tmpfs, target, NULL);
		if (r < 0)
			return r;
		in->mask_tmpfs = r;
		return 0;
	}
	if (r < 0)
		return r;
	in->mask_tmpfs = r;
	r = mount_attach(in->mask_tmpfs, target);
	return r < 0 ? r : mount_set_flags(in->mask_tmpfs, MS_RDONLY, 0);
}

/* The source of a file's mask is the host's /dev/null, opened before anything
 * of the image was looked at (CVE-2025-31133). */
static int step_mask(struct init *in, const struct fs_step *s)
{
	OWN_FD target = open_late_target(in, s->target);
	OWN_FD fd = -1;
	struct stat st;
	int r;

	if (target < 0)
		return target == -ENOENT || target == -ENOTDIR ? 0 : target;
	r = sys_fstat(target, &st);
	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode))
		return mask_dir(in, target, s);
	r = sys_fstat(in->null, &st);
	if (r >= 0 && (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3)))
		r = -ENODEV;
	if (r >= 0)
		fd = r = mount_bind_fd(in, in->null, target, s->target, false);
	return r < 0 ? r : 0;
}

static int step_readonly(struct init *in, const struct fs_step *s)
{
	OWN_FD target = open_late_target(in, s->target);
	OWN_FD fd = -1;

	if (target < 0)
		return target == -ENOENT || target == -ENOTDIR ? 0 : target;
	/* what is mounted below stays */
	fd = mount_bind_fd(in, target, target, s->target, true);
	return fd < 0 ? fd : mount_set_flags(fd, MS_RDONLY, 0);
}

/* What is at the target by now may be another mount: one of the document, which a
 * link of the image has led there, or a hook's. */
static int step_remount(struct init *in, const struct fs_step *s, int *kept)
{
	OWN_FD fd = s->kept ? take_fd(kept) : rootfs_open(in->root, s->target, O_PATH);

	if (fd < 0)
		return fd == -ENOENT && s->optional ? 0 : fd;
	return settle(in, fd, s);
}

int init_step(struct init *in, const struct fs_step *s, int *fd)
{
	switch (s->op) {
	case FS_MOUNT:
		return step_mount(in, s, fd);
	case FS_BIND:
		return step_bind(in, s, fd ? *fd : -1);
	case FS_DIR:
		return step_dir(in, s);
	case FS_NODE:
		return step_node(in, s);
	case FS_SYMLINK:
		return step_symlink(in, s);
	case FS_MASK:
		rootfs_forget(&in->parent);
		return step_mask(in, s);
	case FS_READONLY:
		rootfs_forget(&in->parent);
		return step_readonly(in, s);
	case FS_REMOUNT:
		return step_remount(in, s, fd);
	case FS_OP_COUNT:
		break;
	}
	return -EINVAL;
}
