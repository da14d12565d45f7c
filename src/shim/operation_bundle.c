/* The end of a bundle, in a helper, or in the shim where that takes no time. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "dir.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "helper.h"
#include "operation.h"
#include "str.h"
#include "sys.h"

enum { SMALL = 32 };

/* Whether the name still is the directory that is open. */
static int check_same(int parent, const char *name, int fd)
{
	struct stat opened, named;
	int r = sys_fstat(fd, &opened);

	if (r >= 0)
		r = sys_fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW);
	if (r < 0)
		return r;
	return opened.st_ino == named.st_ino && opened.st_dev == named.st_dev ? 0 : -ENOENT;
}

/* A root file system that is not empty, or still mounted, is none of a small one. */
static int check_small(int fd)
{
	struct dir_reader rd = { .fd = fd };
	const struct dir_entry *d;
	int n = 0, r;

	while ((d = dir_next(&rd)))
		if (n++ == SMALL || d->type == DT_UNKNOWN || (d->type == DT_DIR && strcmp(d->name, "rootfs") != 0))
			return -EFBIG;
	r = rd.n < 0 ? (int)rd.n : sys_unlinkat(fd, "rootfs", AT_REMOVEDIR);
	return r == -ENOENT ? 0 : r;
}

/* Whoever makes or removes a bundle holds its lock: if that is somebody else, it
 * is his. And somebody may have removed it before us, and made another of this
 * name; so it gets a name of its own first. */
static int remove_locked(int parent, const char *name, bool small)
{
	OWN_FD fd = sys_openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	char removed[64];
	struct timespec now;
	int r = fd;

	if (r >= 0)
		r = sys_flock(fd, LOCK_EX | LOCK_NB);
	if (r >= 0)
		r = check_same(parent, name, fd);
	if (r >= 0 && small)
		r = check_small(fd);
	if (r < 0)
		return r;
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(removed, sizeof removed, ".del-%llx%08lx-s", (unsigned long long)now.tv_sec,
		 (unsigned long)now.tv_nsec);
	r = sys_renameat(parent, name, parent, removed);
	if (r < 0)
		return r;
	r = file_remove_tree(parent, removed);
	if (r < 0) /* what is left of it is to be found again */
		sys_renameat(parent, removed, parent, name);
	return r;
}

static int remove_bundle(const struct order *o, bool small)
{
	const char *slash = strrchr(o->bundle, '/');
	OWN_SB struct sb dir = SB_INIT;
	OWN_FD parent = -1;
	int r;

	sb_add(&dir, o->bundle, slash == o->bundle ? 1 : (size_t)(slash - o->bundle));
	parent = r = dir.failed ? -ENOMEM : sys_openat(AT_FDCWD, dir.s, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (r >= 0)
		r = remove_locked(parent, slash + 1, small);
	return r == -ENOENT || r == -EWOULDBLOCK ? 0 : r;
}

int operation_remove_bundle(struct helper_result *ret, void *order, struct err *e)
{
	const struct order *o = order;
	int r = remove_bundle(o, false);

	return r < 0 ? err_sys(e, r, "remove '%s'", o->bundle) : 0;
}

int operation_remove_small_bundle(const struct order *o)
{
	return remove_bundle(o, true);
}
