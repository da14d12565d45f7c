/* Mounts of a container that lives; see live_mount.h. */
#include "live_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include "err.h"
#include "fd.h"
#include "init.h"
#include "live_table.h"
#include "mem.h"
#include "proc.h"
#include "rootfs.h"
#include "spec.h"
#include "str.h"
#include "sys.h"

enum { RETRIES = 8 };

struct live {
	const struct live_where *w;
	int proc; /* the host's */
	int root; /* the container's */
};
#define LIVE_INIT(w) { w, -1, -1 }

static void live_done(struct live *l)
{
	fd_closep(&l->proc);
	fd_closep(&l->root);
}
#define OWN_LIVE __attribute__((cleanup(live_done))) struct live

int live_mount_check(const struct spec_mount *m, struct err *e)
{
	if (!m->is_bind)
		return err_set(e, ERR_INVALID, 0, "/type: only a bind mount can be added to a container that is there");
	if (m->flags & MS_REMOUNT)
		return err_set(e, ERR_INVALID, 0, "/options: remount: there is nothing yet");
	if (m->tmpcopyup || m->data)
		return err_set(e, ERR_INVALID, 0, "/options: '%s' is not for a bind mount",
			       m->data ? m->data : "tmpcopyup");
	if (m->n_uid_maps || m->n_gid_maps)
		return err_set(e, ERR_INVALID, 0, "/uidMappings: only those of the container, by idmap or ridmap");
	if (!m->destination[strspn(m->destination, "/")])
		return err_set(e, ERR_INVALID, 0, "/destination: the root of the container");
	return 0;
}

/* ---- the source, on the host ---------------------------------------------- */

static int bad_source(const char *source, int r, const char *what, struct err *e)
{
	return err_set(e, ERR_INVALID, r, "/source: %s '%s'", what, source);
}

static int open_user_ns(const struct live *l, struct err *e)
{
	char path[32];
	OWN_FD fd = -1;

	snprintf(path, sizeof path, "%d/ns/user", (int)l->w->pid);
	fd = sys_openat(l->proc, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0 || proc_signal(l->w->pidfd, 0) < 0)
		return err_set(e, ERR_STATE, fd < 0 ? fd : -ESRCH, "open the user namespace of the container");
	return take_fd(&fd);
}

static int id_map(const struct live *l, const struct spec_mount *m, int tree, bool own_users, struct err *e)
{
	struct sys_mount_attr attr = { .attr_set = SYS_ATTR_IDMAP };
	OWN_FD ns = -1;
	int r;

	if (!m->idmap && !m->ridmap)
		return 0;
	if (!own_users)
		return err_set(e, ERR_INVALID, 0,
			       "/options: an id-mapped mount needs a container with a user namespace");
	ns = r = open_user_ns(l, e);
	if (r < 0)
		return r;
	attr.userns_fd = (unsigned)ns;
	r = sys_mount_setattr(tree, "", AT_EMPTY_PATH | (m->ridmap ? AT_RECURSIVE : 0), &attr);
	return r < 0 ? err_set(e, ERR_UNSUPPORTED, r, "/options: id-map the mount '%s'", m->source) : 0;
}

/* Not one of the host's peers, unless that is asked for: else what the container
 * mounts there would be mounted on the host. */
static int set_propagation(const struct spec_mount *m, int tree)
{
	int r = m->n_propagation ? 0 : mount_set_propagation(tree, MS_PRIVATE | MS_REC);

	for (size_t i = 0; r >= 0 && i < m->n_propagation; i++)
		r = mount_set_propagation(tree, m->propagation[i]);
	return r;
}

static int set_options(const struct spec_mount *m, int tree)
{
	int r = mount_set_flags(tree, m->flags, m->cleared);

	/* What the host has locked stays, as at the container's creation. */
	if (r == -EPERM && m->cleared)
		r = mount_set_flags(tree, m->flags, 0);
	if (r >= 0 && (m->rec_set || m->rec_clear)) {
		struct sys_mount_attr attr = { .attr_set = m->rec_set, .attr_clr = m->rec_clear };

		r = sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr);
	}
	return r < 0 ? r : set_propagation(m, tree);
}

/* Before Linux 5.12 only what is mounted somewhere has options that can be set:
 * so that nobody ever sees it without them, in a mount namespace of our own, and
 * what is made of that is detached again. */
static int set_options_attached(const struct spec_mount *m, const char *source, int *tree)
{
	OWN_FD at = -1;
	int r = sys_unshare(CLONE_NEWNS);

	if (r >= 0)
		r = sys_mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL);
	if (r >= 0)
		at = r = sys_openat(AT_FDCWD, source, O_PATH | O_CLOEXEC, 0);
	if (r >= 0)
		r = mount_attach(*tree, at);
	if (r >= 0)
		r = set_options(m, *tree);
	if (r >= 0)
		r = sys_open_tree(*tree, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (r < 0)
		return r;
	sys_close(*tree);
	*tree = r;
	return 0;
}

/* A detached mount of it, as the container is to have it. */
static int open_source(const struct live *l, const struct spec_mount *m, bool own_users, struct err *e)
{
	const struct sys_mount_attr nothing = { 0 };
	char path[PATH_MAX];
	OWN_FD tree = -1;
	int n = snprintf(path, sizeof path, "%s%s%s", *m->source == '/' ? "" : l->w->bundle,
			 *m->source == '/' ? "" : "/", m->source), r;

	if ((size_t)n >= sizeof path)
		return bad_source(m->source, -ENAMETOOLONG, "open", e);
	tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (m->recursive ? AT_RECURSIVE : 0));
	if (tree < 0)
		return bad_source(m->source, tree, sys_refused(tree) ? "open (open_tree)" : "open", e);
	r = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &nothing);
	if (sys_refused(r) && (m->rec_set || m->rec_clear))
		return err_set(e, ERR_UNSUPPORTED, r, "/options: recursive options need mount_setattr");
	r = sys_refused(r) ? set_options_attached(m, path, &tree) : set_options(m, tree);
	if (r < 0)
		return bad_source(m->source, r, "set the options of", e);
	r = id_map(l, m, tree, own_users, e);
	return r < 0 ? r : take_fd(&tree);
}

/* ---- into the container --------------------------------------------------- */

static int same_ns(const struct live *l, const char *one, const char *other)
{
	struct stat a, b;
	int r = sys_fstatat(l->proc, one, &a, 0);

	if (r >= 0)
		r = sys_fstatat(l->proc, other, &b, 0);
	return r < 0 ? r : a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Nothing may be mounted in the host's own namespace. */
static int look(struct live *l, bool *own_users, struct err *e)
{
	char mounts[32], users[32];
	int own, users_same;

	l->proc = sys_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (l->proc < 0)
		return err_sys(e, l->proc, "open '/proc'");
	snprintf(mounts, sizeof mounts, "%d/ns/mnt", (int)l->w->pid);
	snprintf(users, sizeof users, "%d/ns/user", (int)l->w->pid);
	own = same_ns(l, mounts, "self/ns/mnt");
	users_same = same_ns(l, users, "self/ns/user");
	if (proc_signal(l->w->pidfd, 0) < 0) /* then these may have been another's */
		own = -ESRCH;
	if (own < 0 || users_same < 0)
		return err_set(e, ERR_STATE, own < 0 ? own : users_same, "look at the container's namespaces");
	if (own || same_ns(l, mounts, "1/ns/mnt") > 0)
		return err_set(e, ERR_UNSUPPORTED, 0, "the container has no mount namespace of its own");
	*own_users = !users_same;
	return 0;
}

/* With the rights of its root, and nobody there may look into us meanwhile. */
static int enter(struct live *l, bool own_users, struct err *e)
{
	int r = sys_prctl(PR_SET_DUMPABLE, 0, 0, 0);

	if (r >= 0)
		r = sys_setns(l->w->pidfd, CLONE_NEWNS | (own_users ? CLONE_NEWUSER : 0));
	if (r >= 0 && own_users && sys_setresgid(0) >= 0)
		sys_setresuid(0); /* if it has one */
	if (r >= 0)
		l->root = r = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	return r < 0 ? err_sys(e, r, "enter the container's mount namespace") : 0;
}

/* ---- the destination ------------------------------------------------------ */

/* Cuts the last `n` components off a clean path; false: there is nothing left. */
static bool cut(const char *path, uint32_t n, char out[PATH_MAX])
{
	size_t len = strlen(path);

	while (n--) {
		while (len && path[len - 1] != '/')
			len--;
		while (len && path[len - 1] == '/')
			len--;
	}
	if (!len || len >= PATH_MAX)
		return false;
	memcpy(out, path, len);
	out[len] = '\0';
	return true;
}

/* The directory above, and the name in it. */
static int open_above(int root, const char *path, const char **leaf)
{
	char above[PATH_MAX];

	*leaf = strrchr(path, '/') + 1;
	return rootfs_open(root, cut(path, 1, above) ? above : "/", O_PATH | O_DIRECTORY);
}

/* Below the destination's `made` last components there may be by now what others
 * put there: that stays, and so does what is above it. */
static void unmake(int root, const char *destination, const struct live_mount *m)
{
	for (uint32_t i = 0; i < m->made; i++) {
		bool file = m->file && !i;
		char path[PATH_MAX];
		const char *leaf;
		struct stat st;
		OWN_FD dir = cut(destination, i, path) ? open_above(root, path, &leaf) : -1;

		if (dir < 0)
			return;
		if (sys_fstatat(dir, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return;
		if (file && (!S_ISREG(st.st_mode) || st.st_size))
			return;
		if (sys_unlinkat(dir, leaf, file ? 0 : AT_REMOVEDIR) < 0)
			return;
	}
}

/* Only some came to be: those are the last ones of what is above `path`. */
static void unmake_above(int root, const char *path, struct live_mount *m)
{
	struct live_mount made = { .made = m->made };
	char above[PATH_MAX];

	if (cut(path, 1, above))
		unmake(root, above, &made);
	m->made = 0;
}

static int make_one(int root, const char *path, bool file)
{
	const char *leaf;
	OWN_FD dir = open_above(root, path, &leaf);
	OWN_FD fd = -1;

	if (dir < 0)
		return dir;
	if (!file)
		return sys_mkdirat(dir, leaf, 0755);
	fd = sys_openat(dir, leaf, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDONLY | O_CLOEXEC, 0644);
	return fd < 0 ? fd : 0;
}

/* One after the other from the first that is missing, so that we know which are
 * ours: those at the end that nobody else has made. */
static int make_missing(int root, const char *destination, struct live_mount *m)
{
	char path[PATH_MAX];
	uint32_t missing = 0;
	int r = -ENOENT;

	while (r == -ENOENT && cut(destination, missing, path)) {
		OWN_FD fd = rootfs_open(root, path, O_PATH);

		r = fd;
		missing += r == -ENOENT;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	while (missing-- && cut(destination, missing, path)) {
		r = make_one(root, path, m->file && !missing);
		/* It is there: a link that leads nowhere, or somebody was faster. */
		if (r < 0 && r != -EEXIST) {
			unmake_above(root, path, m);
			return r;
		}
		m->made = r < 0 ? 0 : m->made + 1;
	}
	return 0;
}

static int check_target(const struct live *l, int target, bool file, struct err *e)
{
	struct sys_statx at, root;
	struct statfs fs;
	struct stat st, top;
	int r = sys_fstatfs(target, &fs);

	if (r >= 0 && fs.f_type == PROC_SUPER_MAGIC)
		return err_set(e, ERR_INVALID, 0, "/destination: leads into procfs");
	if (r >= 0)
		r = sys_fstat(target, &st);
	if (r >= 0)
		r = sys_fstat(l->root, &top);
	if (r >= 0)
		r = sys_statx(target, "", AT_EMPTY_PATH, SYS_STATX_MNT_ID, &at);
	if (r >= 0)
		r = sys_statx(l->root, "", AT_EMPTY_PATH, SYS_STATX_MNT_ID, &root);
	if (r < 0)
		return err_set(e, ERR_INVALID, r, "/destination");
	if (at.mnt_id == root.mnt_id && st.st_ino == top.st_ino)
		return err_set(e, ERR_INVALID, 0, "/destination: leads to the root of the container");
	if (S_ISDIR(st.st_mode) == file)
		return err_set(e, ERR_INVALID, file ? -EISDIR : -ENOTDIR, "/destination");
	return 0;
}

static int attach(const struct live *l, int tree, const char *destination, struct live_mount *m, struct err *e)
{
	OWN_FD target = -1;
	struct sys_statx stx;
	struct stat st;
	int r = make_missing(l->root, destination, m);

	if (r >= 0)
		target = r = rootfs_open(l->root, destination, O_PATH);
	if (r == -ENOENT) /* through a link that led nowhere */
		target = r = m->file ? rootfs_make_file(l->root, destination, 0644) :
				       rootfs_make_dir(l->root, destination, 0755);
	if (r < 0)
		return err_set(e, ERR_INVALID, r, "/destination: open '%s' in the container", destination);
	r = check_target(l, target, m->file, e);
	if (r < 0)
		return r;
	r = sys_statx(tree, "", AT_EMPTY_PATH, SYS_STATX_MNT_ID, &stx);
	if (r >= 0)
		r = sys_fstat(tree, &st);
	if (r >= 0)
		r = mount_attach(tree, target);
	if (r < 0)
		return err_set(e, ERR_INTERNAL, r, "mount on '%s'", destination);
	m->id = stx.mnt_id;
	m->dev = st.st_dev;
	m->ino = st.st_ino;
	return 0;
}

int live_mount_add(const struct live_where *w, const struct spec_mount *m, struct live_mount *ret, struct err *e)
{
	OWN_LIVE l = LIVE_INIT(w);
	OWN_FD tree = -1;
	struct stat st;
	bool own_users;
	int r = look(&l, &own_users, e);

	*ret = (struct live_mount){ 0 };
	if (r >= 0)
		tree = r = open_source(&l, m, own_users, e);
	if (r < 0)
		return r;
	r = sys_fstat(tree, &st);
	if (r < 0)
		return bad_source(m->source, r, "look at", e);
	ret->file = !S_ISDIR(st.st_mode);
	r = enter(&l, own_users, e);
	if (r >= 0)
		r = attach(&l, tree, m->destination, ret, e);
	if (r < 0 && l.root >= 0)
		unmake(l.root, m->destination, ret);
	return r;
}

/* ---- off again ------------------------------------------------------------ */

/* The mount that was listed, if its name still leads to it: -ESTALE if not. An fd
 * of it would keep it busy. */
static int unmount(const struct live *l, const struct live_entry *at, const struct live_mount *m)
{
	struct sys_statx stx;
	struct stat st;
	const char *leaf;
	OWN_FD dir = open_above(l->root, at->path, &leaf);
	int r = dir < 0 ? dir : sys_statx(dir, leaf, AT_SYMLINK_NOFOLLOW, SYS_STATX_MNT_ID, &stx);

	if (r >= 0)
		r = sys_fstatat(dir, leaf, &st, AT_SYMLINK_NOFOLLOW);
	if (r == -ENOENT || r == -ENOTDIR || (r >= 0 && stx.mnt_id != at->id))
		return -ESTALE;
	if (r >= 0 && at->id == m->id && (st.st_dev != m->dev || st.st_ino != m->ino))
		return -ENOENT; /* the id is another's by now */
	if (r >= 0)
		r = sys_fchdir(dir);
	if (r >= 0)
		r = sys_umount2(leaf, UMOUNT_NOFOLLOW);
	sys_chdir("/");
	return r;
}

static int not_unmounted(int r, const char *path, struct err *e)
{
	switch (r) {
	case -ENOENT:
		return err_set(e, ERR_NOT_FOUND, 0, "unmount '%s': the container has done it", path);
	case -EBUSY:
		return err_set(e, ERR_STATE, r, "unmount '%s'", path);
	case -ESTALE:
		return err_set(e, ERR_STATE, 0, "unmount '%s': another mount hides it", path);
	default:
		return err_sys(e, r, "unmount '%s'", path);
	}
}

/* The deepest first. Once more if something has been moved since it was listed. */
static int unmount_all(const struct live *l, const struct live_mount *m, const char *destination, struct err *e)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	const char *path = destination;
	struct live_entry *list;
	size_t n;
	int r = -ESTALE;

	for (int tries = 0; r == -ESTALE && tries < RETRIES; tries++) {
		r = live_table_below(l->proc, &a, m->id, &list, &n, e);
		if (r < 0)
			return r;
		if (!n)
			r = -ENOENT;
		while (r >= 0 && n) {
			path = list[--n].path;
			r = unmount(l, &list[n], m);
		}
	}
	return r < 0 ? not_unmounted(r, path, e) : 0;
}

int live_mount_remove(const struct live_where *w, const char *destination, const struct live_mount *m,
		      struct err *e)
{
	OWN_LIVE l = LIVE_INIT(w);
	bool own_users;
	int r = look(&l, &own_users, e);

	if (r >= 0)
		r = enter(&l, own_users, e);
	if (r >= 0)
		r = unmount_all(&l, m, destination, e);
	if (r >= 0 || (l.root >= 0 && e->kind == ERR_NOT_FOUND))
		unmake(l.root, destination, m);
	return r;
}
