/* Bundles in the state directory: made, locked, removed; see state_dir.h. */
#include "state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "str.h"
#include "sys.h"

#define NEW ".new-"
#define DEL ".del-"
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

enum { MODE = 0711, TRIES = 8 };

void bundle_unique(char ret[BUNDLE_UNIQUE])
{
	static unsigned last;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(ret, BUNDLE_UNIQUE, "%llx%08lx-%x-%x", (unsigned long long)now.tv_sec, (unsigned long)now.tv_nsec,
		 (unsigned)getpid(), __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED));
}

bool bundle_is_leftover(const char *name)
{
	return str_starts(name, NEW) || str_starts(name, DEL);
}

/* Whether the name still is the directory that is open. */
static int check_same(const struct bundle *b)
{
	struct stat opened, named;
	int r = sys_fstat(b->fd, &opened);

	if (r >= 0)
		r = sys_fstatat(b->parent, b->name, &named, AT_SYMLINK_NOFOLLOW);
	if (r < 0)
		return r;
	return opened.st_ino == named.st_ino && opened.st_dev == named.st_dev ? 0 : -ESTALE;
}

/* Opens and locks b->name. */
static int take(struct bundle *b)
{
	int r = b->fd = sys_openat(b->parent, b->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);

	if (r >= 0)
		r = sys_flock(b->fd, LOCK_EX | LOCK_NB);
	if (r >= 0)
		r = check_same(b);
	if (r < 0)
		fd_closep(&b->fd);
	return r;
}

static int make(struct bundle *b)
{
	char unique[BUNDLE_UNIQUE];
	int r;

	bundle_unique(unique);
	snprintf(b->name, sizeof b->name, NEW "%s", unique);
	r = sys_mkdirat(b->parent, b->name, MODE);
	if (r >= 0)
		r = take(b);
	if (r >= 0)
		r = sys_fchmod(b->fd, MODE); /* whatever the umask says */
	if (r >= 0)
		r = sys_mkdirat(b->fd, "rootfs", MODE);
	return r;
}

static int open_parent(struct bundle *b, const char *state, const char *namespace)
{
	OWN_SB struct sb path = SB_INIT;

	sb_printf(&path, "%s/%s", state, namespace);
	if (path.failed)
		return -ENOMEM;
	return b->parent = sys_openat(AT_FDCWD, path.s, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

int bundle_make(struct bundle *b, const char *state, const char *namespace, struct err *e)
{
	OWN_SB struct sb path = SB_INIT;
	int r;

	*b = (struct bundle)BUNDLE_INIT;
	sb_printf(&path, "%s/%s", state, namespace);
	b->parent = r = path.failed ? err_sys(e, -ENOMEM, "make a bundle") : file_mkdirs(path.s, MODE, e);
	if (r < 0)
		return r;
	/* Somebody who sweeps may take one that is not locked yet for a leftover. */
	for (int i = 0; i < TRIES; i++) {
		r = make(b);
		if (r != -EEXIST && r != -ENOENT && r != -EAGAIN && r != -ESTALE)
			break;
	}
	if (r >= 0)
		return 0;
	if (b->fd >= 0)
		bundle_remove(b);
	bundle_unlock(b);
	return err_sys(e, r, "make a bundle in '%s'", path.s);
}

int bundle_claim(struct bundle *b, const char *id)
{
	int r = sys_renameat2(b->parent, b->name, b->parent, id, RENAME_NOREPLACE);

	if (sys_refused(r) || r == -EINVAL)
		r = sys_renameat(b->parent, b->name, b->parent, id); /* replaces none that has something in it */
	if (r == -ENOTEMPTY)
		r = -EEXIST;
	if (r >= 0)
		snprintf(b->name, sizeof b->name, "%s", id);
	return r;
}

int bundle_lock(struct bundle *b, const char *state, const char *namespace, const char *id)
{
	int r;

	*b = (struct bundle)BUNDLE_INIT;
	r = open_parent(b, state, namespace);
	snprintf(b->name, sizeof b->name, "%s", id);
	if (r >= 0)
		r = take(b);
	if (r == -ESTALE) /* another one by now, which is somebody's */
		r = -EAGAIN;
	if (r < 0)
		fd_closep(&b->parent);
	return r < 0 ? r : 0;
}

/* What is still mounted on its rootfs is another's, and is let go first. */
static int remove_tree(const struct bundle *b)
{
	char rootfs[48];
	int r = file_remove_tree(b->parent, b->name);

	if (r != -EBUSY)
		return r;
	snprintf(rootfs, sizeof rootfs, "/proc/self/fd/%d/rootfs", b->fd);
	while (sys_umount2(rootfs, MNT_DETACH | UMOUNT_NOFOLLOW) >= 0)
		;
	return file_remove_tree(b->parent, b->name);
}

int bundle_remove(struct bundle *b)
{
	char unique[BUNDLE_UNIQUE], name[BUNDLE_NAME];
	int r = 0;

	if (!str_starts(b->name, NEW)) {
		bundle_unique(unique);
		snprintf(name, sizeof name, DEL "%s", unique);
		r = check_same(b);
		if (r >= 0)
			r = sys_renameat(b->parent, b->name, b->parent, name);
		if (r >= 0)
			strcpy(b->name, name);
	}
	if (r >= 0)
		r = remove_tree(b);
	bundle_unlock(b);
	return r == -ENOENT || r == -ESTALE ? 0 : r;
}

void bundle_unlock(struct bundle *b)
{
	if (b->fd >= 0)
		sys_flock(b->fd, LOCK_UN);
	fd_closep(&b->fd);
	fd_closep(&b->parent);
}

void bundle_sweep(int dir, const char *name)
{
	struct bundle b = { .parent = dir, .fd = -1 };

	snprintf(b.name, sizeof b.name, "%s", name);
	if (take(&b) < 0)
		return;
	remove_tree(&b);
	sys_flock(b.fd, LOCK_UN);
	sys_close(b.fd);
}
